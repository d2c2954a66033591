#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace chunker {

enum class LogLevel : std::uint8_t {
  trace,    ///< What is done, for whoever looks into it.
  warning,  ///< What an operator must know that no Result can tell.
};

/// Takes one message: a sentence without its full stop, borrowed for the call. Called from any thread, one call
/// at a time.
using LogSink = std::function<void(LogLevel, std::string_view message)>;

/// Where the library's log goes from now on, in the whole process: nowhere at first and when `sink` is empty. What is
/// below `least` is not said.
/// At LogLevel::trace there is a line for each algorithm that worked on a NAR which ingest() acknowledged, the
/// caller's own like ours (R21.5), with AlgorithmInfo's label and the fields of an AlgorithmUse:
///   ingest codec="zstd" count=12 bytes_in=786432 bytes_out=262144 nar=<SHA-256>
/// Owns:    the sink.
/// Threads: shared; a sink must not call the library.
/// Errors:  none; what a sink throws is dropped.
/// Cost:    nothing until there is something to say.
void set_log_sink(LogSink sink, LogLevel least = LogLevel::warning);

}  // namespace chunker
