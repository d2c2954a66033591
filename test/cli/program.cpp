#include "cli/program.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

namespace chunker::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  return {ends[0], ends[1]};
}

Pipe make_terminal() {
  Pipe terminal;
  winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::openpty(&terminal.read_end, &terminal.write_end, nullptr, nullptr, &size) != 0) {
    throw std::runtime_error("openpty");
  }
  ::fcntl(terminal.read_end, F_SETFD, FD_CLOEXEC);
  ::fcntl(terminal.write_end, F_SETFD, FD_CLOEXEC);
  return terminal;
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// In the child: never returns.
[[noreturn]] void become(const std::vector<std::string>& arguments, const Surroundings& around,
                         int in, int out, int err) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (!around.directory.empty() && ::chdir(around.directory.c_str()) != 0) ::_exit(126);
  ::unsetenv("CHUNKER_STORE");
  ::setenv("TERM", "xterm", 1);
  for (const auto& [name, value] : around.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (around.obeys_permissions) {
    // Root may do everything, unless these are gone before exec.
    ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
    ::prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
  }
  for (const auto& [resource, most] : around.limits) {
    const rlimit limit{most, most};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }
  std::vector<char*> words{const_cast<char*>("chunker")};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(CHUNKER_PROGRAM, words.data());
  ::_exit(127);
}

// Appends what is there; closes the descriptor at its end.
void drain(int& descriptor, std::string& text) {
  std::array<char, 65536> piece;
  const ssize_t count = ::read(descriptor, piece.data(), piece.size());
  if (count > 0) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
    close_if_open(descriptor);  // a terminal ends with EIO
  }
}

}  // namespace

Running::Running(const std::vector<std::string>& arguments, const Surroundings& around) {
  ::signal(SIGPIPE, SIG_IGN);  // writing to a program that has ended already
  const Pipe in = make_pipe();
  Pipe out = around.on_terminal ? make_terminal() : make_pipe();
  Pipe err = around.on_terminal ? Pipe{} : make_pipe();
  if (!around.output.empty()) {
    ::close(out.write_end);
    out.write_end = ::open(around.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    if (around.output_closed) ::close(out.read_end);
    become(arguments, around, in.read_end, out.write_end,
           around.on_terminal ? out.write_end : err.write_end);
  }
  ::close(in.read_end);
  close_if_open(out.write_end);
  close_if_open(err.write_end);
  input_ = in.write_end;
  out_ = out.read_end;
  err_ = err.read_end;
  if (around.output_closed) close_if_open(out_);
  write(around.input);
}

Running::~Running() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  close_if_open(input_);
  close_if_open(out_);
  close_if_open(err_);
}

void Running::write(std::string_view text) {
  // The program may stop reading to write, so its outputs are read meanwhile.
  ::fcntl(input_, F_SETFL, O_NONBLOCK);
  while (!text.empty()) {
    const ssize_t count = ::write(input_, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pump(std::chrono::steady_clock::now() + kPatience, true);
    } else if (errno != EINTR) {
      return;
    }
  }
}

bool Running::pump(std::chrono::steady_clock::time_point until, bool to_write) {
  if (out_ < 0 && err_ < 0) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  std::array<pollfd, 3> ready{
      {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {to_write ? input_ : -1, POLLOUT, 0}}};
  ::poll(ready.data(), ready.size(), static_cast<int>(std::max<long>(0, left.count())));
  if (ready[0].revents != 0) drain(out_, outcome_.out);
  if (ready[1].revents != 0) drain(err_, outcome_.err);
  return (out_ >= 0 || err_ >= 0) && std::chrono::steady_clock::now() < until;
}

bool Running::wait_for(std::string_view text) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!outcome_.out.contains(text)) {
    if (!pump(until)) return outcome_.out.contains(text);
  }
  return true;
}

void Running::send(int signal) const { ::kill(pid_, signal); }

Outcome Running::finish() {
  close_if_open(input_);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (pump(until)) {
  }
  if (std::chrono::steady_clock::now() >= until) ::kill(pid_, SIGKILL);
  int status = 0;
  rusage usage{};
  ::wait4(pid_, &status, 0, &usage);
  outcome_.peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
  pid_ = -1;
  if (WIFEXITED(status)) outcome_.exit = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome_.signal = WTERMSIG(status);
  return outcome_;
}

Outcome run(const std::vector<std::string>& arguments, const Surroundings& around) {
  Running program(arguments, around);
  return program.finish();
}

}  // namespace chunker::test
