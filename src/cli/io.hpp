#pragma once

#include <functional>
#include <string>

#include "chunker/error.hpp"
#include "chunker/sink.hpp"
#include "cli/console.hpp"

namespace chunker::cli {

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

/// How messages call an input.
[[nodiscard]] std::string label_of(const std::string& input);

}  // namespace chunker::cli
