#include "cli/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>

namespace chunker::cli {
namespace {

std::atomic<int> g_received = 0;
std::atomic<int> g_pipe_in = -1;

// Async-signal-safe: tells the watching thread, which may do the rest.
void on_signal(int signal) {
  const int saved_errno = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe already holds more signals than anybody needs.
  [[maybe_unused]] const auto written = ::write(g_pipe_in.load(), &byte, 1);
  errno = saved_errno;
}

constexpr unsigned char kNoSignal = 0;

// The next byte of the pipe; nothing within `wait_ms`. Forever if that is negative.
std::optional<unsigned char> next_byte(int descriptor, int wait_ms) {
  pollfd readable{descriptor, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&readable, 1, wait_ms);
  } while (ready < 0 && errno == EINTR);
  unsigned char byte = kNoSignal;
  if (ready != 1 || ::read(descriptor, &byte, 1) != 1) return std::nullopt;
  return byte;
}

void watch(int pipe_out, std::stop_source stop) {
  const auto first = next_byte(pipe_out, -1);
  if (first && *first != kNoSignal) {
    g_received = *first;
    stop.request_stop();
    const auto second = next_byte(pipe_out, SignalWatch::kGraceSeconds * 1000);
    if (second != kNoSignal) {
      constexpr std::string_view kMessage =
          "chunker: ended by a signal before everything was closed; what was acknowledged is "
          "durable\n";
      [[maybe_unused]] const auto told = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
      ::_exit(128 + *first);
    }
  }
  ::close(pipe_out);
}

}  // namespace

SignalWatch::SignalWatch(std::stop_source stop) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return;  // without descriptors the default stays: signals end us
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  g_pipe_in = ends[1];
  try {
    thread_ = std::jthread(watch, ends[0], std::move(stop));
  } catch (const std::system_error&) {
    for (const int end : ends) ::close(end);
    return;
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old{};
    ::sigaction(signal, nullptr, &old);
    if (old.sa_handler == SIG_IGN) continue;
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
    saved_.push_back({signal, old});
  }
}

SignalWatch::~SignalWatch() {
  for (const Saved& saved : saved_) ::sigaction(saved.signal, &saved.action, nullptr);
  // The pipe's other end stays open: a handler that still runs must not write into what might be
  // opened next.
  if (thread_.joinable()) [[maybe_unused]]
    const auto written = ::write(g_pipe_in, &kNoSignal, 1);
}

int SignalWatch::received() noexcept { return g_received; }

std::string_view SignalWatch::received_name() noexcept {
  switch (received()) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return {};
  }
}

}  // namespace chunker::cli
