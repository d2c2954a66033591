#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace chunker {

enum class LogLevel : std::uint8_t { warning };

/// Takes one message: a sentence without its full stop, borrowed for the call. Called from any thread, one call
/// at a time.
using LogSink = std::function<void(LogLevel, std::string_view message)>;

/// Where the library's log goes from now on, in the whole process: nowhere at first and when `sink` is empty.
/// The library says little: what an operator must know that no Result can tell.
/// Owns:    the sink.
/// Threads: shared; a sink must not call the library.
/// Errors:  none; what a sink throws is dropped.
/// Cost:    nothing until there is something to say.
void set_log_sink(LogSink sink);

}  // namespace chunker
