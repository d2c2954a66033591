#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "chunker/error.hpp"
#include "chunker/sink.hpp"
#include "cli/console.hpp"
#include "resource/file.hpp"

namespace chunker::cli {

/// "-" as an input: standard input.
inline constexpr std::string_view kStandardInput = "-";
/// "-" as an output: standard output.
inline constexpr std::string_view kStandardOutput = "-";

/// Calls `produce` with a sink that leads to `output`. Standard output, a device or a pipe gets the bytes
/// as they come; a file appears under its name, or is replaced, once `produce` has succeeded.
/// Errors: io_* with the path as context, and those of `produce`.
[[nodiscard]] Result<void> write_output(
    const std::string& output, Console& console,
    const std::function<Result<void>(const ByteSink&)>& produce);

/// Reads `input` to its end, "-" being standard input, in pieces of at most 1 MiB.
/// Errors: io_* with the path as context, and those of `sink`.
[[nodiscard]] Result<void> read_input(const std::string& input, const ByteSink& sink);

/// Lines of a file, "-" being standard input, while they come.
/// Owns:    the open file, standard input not.
/// Threads: movable.
/// Errors:  io_* with the path as context; cancelled when `stop` is requested while it waits for a pipe.
/// Cost:    one line, and 64 KiB.
class LineReader {
 public:
  /// Lines end with `end`.
  [[nodiscard]] static Result<LineReader> open(const std::string& input, char end,
                                               std::stop_token stop);
  LineReader(LineReader&& other) noexcept = default;
  LineReader& operator=(LineReader&& other) noexcept = default;
  ~LineReader();

  /// The next line without its end, valid until the next call; nothing behind the last one.
  [[nodiscard]] Result<std::optional<std::string_view>> next();

 private:
  LineReader(resource::File file, bool standard, char end, std::stop_token stop);

  resource::File file_;
  bool standard_;
  char end_;
  std::stop_token stop_;
  std::string text_;
  std::size_t begin_ = 0;  ///< Of what was not yet given.
  bool ended_ = false;
};

/// How messages call an input.
[[nodiscard]] std::string label_of(const std::string& input);

}  // namespace chunker::cli
