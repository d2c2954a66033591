#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/ingest.hpp"
#include "cli/exit.hpp"
#include "cli/json.hpp"
#include "cli/progress_line.hpp"

namespace chunker::cli {

/// What the program says: results on standard output, messages and progress on standard error.
/// Owns:    text not yet written.
/// Threads: shared.
/// Errors:  the first failure of standard output is kept, asks everybody to stop, and is what finish()
///          reports; later text is dropped. Failures of standard error are ignored.
/// Cost:    standard output is written in blocks of 64 KiB, or at flush().
class Console {
 public:
  explicit Console(std::stop_source stop);

  void set_json(bool json) { json_ = json; }
  void set_quiet(bool quiet) { quiet_ = quiet; }
  /// Results are to be JSON, one object a line.
  [[nodiscard]] bool json() const noexcept { return json_; }
  /// No progress and no line for each item are wanted.
  [[nodiscard]] bool quiet() const noexcept { return quiet_; }
  [[nodiscard]] bool output_is_terminal() const noexcept { return output_is_terminal_; }

  /// Adds a line to standard output.
  void print(std::string_view line, char end = '\n');
  void print_json(const Json& object) {
    print(std::string_view(object.dump(-1, ' ', false, Json::error_handler_t::replace)));
  }
  /// Everything printed so far is with the reader when this returns.
  void flush();
  /// Raw bytes to standard output, behind everything printed so far. Errors: io_*.
  [[nodiscard]] Result<void> write(Bytes bytes);

  /// One line on standard error.
  void note(std::string_view message);
  /// An error on standard error with its cure, unless that is the one said last, and as an object of this kind in
  /// JSON output. Gives the exit code that it asks for.
  Exit report(const Error& error, std::string_view kind = "error");
  /// Redraws the progress line, if there is a terminal to draw it on.
  void show(const Progress& progress);

  /// Flushes; `exit`, or what a failure of standard output asks for.
  [[nodiscard]] Exit finish(Exit exit);

 private:
  void write_out(std::string_view text) CHUNKER_REQUIRES(mutex_);
  void write_error(const Error& error) CHUNKER_REQUIRES(mutex_);
  void write_message(std::string_view text) CHUNKER_REQUIRES(mutex_);
  void flush_locked() CHUNKER_REQUIRES(mutex_);
  void erase_progress() CHUNKER_REQUIRES(mutex_);

  std::stop_source stop_;
  bool json_ = false;
  bool quiet_ = false;
  const bool output_is_terminal_;
  const bool shows_progress_;
  base::Mutex mutex_;
  std::string pending_ CHUNKER_GUARDED_BY(mutex_);
  std::optional<int> output_errno_ CHUNKER_GUARDED_BY(mutex_);
  ProgressLine progress_ CHUNKER_GUARDED_BY(mutex_);
  bool progress_drawn_ CHUNKER_GUARDED_BY(mutex_) = false;
  std::string_view said_cure_ CHUNKER_GUARDED_BY(mutex_);  ///< The last one; cures are static.
};

}  // namespace chunker::cli
