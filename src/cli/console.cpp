#include "cli/console.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "cli/text.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

constexpr std::size_t kPendingBytesMax = 64 * 1024;

bool can_redraw_lines() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && *terminal != '\0' &&
         std::string_view(terminal) != "dumb";
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
  return size.ws_col - 1U;  // the last column would wrap on some terminals
}

// Whole or with errno. A descriptor that a neighbor made non-blocking is waited for.
bool write_whole(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd writable{descriptor, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// The context of a message, safe for a terminal.
std::string message_of(const Error& error) {
  std::string line = "chunker: ";
  if (!error.context.empty()) line += printable(error.context) + ": ";
  line += error.what;
  if (error.offset_bytes != Error::kNoOffset)
    line += fmt::format(" at byte {}", error.offset_bytes);
  return line += fmt::format(" ({})\n", name(error.code));
}

}  // namespace

Console::Console(std::stop_source stop)
    : stop_(std::move(stop)),
      output_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      shows_progress_(can_redraw_lines()) {}

void Console::print(std::string_view line, char end) {
  const base::Lock lock(mutex_);
  pending_.append(line).push_back(end);
  if (pending_.size() >= kPendingBytesMax) flush_locked();
}

void Console::flush() {
  const base::Lock lock(mutex_);
  flush_locked();
}

Result<void> Console::write(Bytes bytes) {
  const base::Lock lock(mutex_);
  flush_locked();
  write_out(text_of(bytes));
  if (!output_errno_) return {};
  return std::unexpected(resource::system_error(*output_errno_, "cannot write", "standard output"));
}

void Console::note(std::string_view message) {
  const base::Lock lock(mutex_);
  flush_locked();
  write_message(fmt::format("chunker: {}\n", message));
}

Exit Console::report(const Error& error, std::string_view kind) {
  if (json_) print_json(json_of(error, kind));
  const base::Lock lock(mutex_);
  // What broke standard output is finish()'s to say, or nobody's: an error that came of it adds nothing.
  if (output_errno_) return exit_of(error.code);
  flush_locked();
  write_error(error);
  return exit_of(error.code);
}

void Console::show(const Progress& progress) {
  if (!shows_progress_ || quiet_) return;
  const base::Lock lock(mutex_);
  const auto line = progress_.update(progress, ProgressLine::Clock::now(), terminal_columns());
  if (line.empty()) return;
  write_whole(STDERR_FILENO, fmt::format("\r{}\x1b[K", line));
  progress_drawn_ = true;
}

Exit Console::finish(Exit exit) {
  const base::Lock lock(mutex_);
  flush_locked();
  erase_progress();
  if (!output_errno_) return exit;
  if (*output_errno_ == EPIPE) return Exit::broken_pipe;
  const Error error = resource::system_error(*output_errno_, "cannot write", "standard output");
  write_error(error);
  // It was this that stopped the work, no signal.
  if (exit == Exit::interrupted) exit = Exit::ok;
  return worse(exit_of(error.code), exit);
}

void Console::flush_locked() {
  if (pending_.empty()) return;
  if (output_is_terminal_) erase_progress();
  write_out(pending_);
  pending_.clear();
}

void Console::write_out(std::string_view text) {
  if (output_errno_ || write_whole(STDOUT_FILENO, text)) return;
  output_errno_ = errno;
  stop_.request_stop();
}

void Console::write_error(const Error& error) {
  std::string text = message_of(error);
  // Of a hundred damaged chunks each has a message, but what to do about them is one thing.
  if (const auto said = std::exchange(said_cure_, cure(error)); said != said_cure_) {
    text.append("  ").append(said_cure_).append("\n");
  }
  write_message(text);
}

void Console::write_message(std::string_view text) {
  erase_progress();
  write_whole(STDERR_FILENO, text);
}

void Console::erase_progress() {
  if (!progress_drawn_) return;
  write_whole(STDERR_FILENO, "\r\x1b[K");
  progress_drawn_ = false;
}

}  // namespace chunker::cli
