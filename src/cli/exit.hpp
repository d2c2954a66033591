#pragma once

#include <string_view>

#include "chunker/error.hpp"

namespace chunker::cli {

/// What the process says to its caller when it ends (doc/exit-codes.md). For ever.
enum class Exit : int {
  ok = 0,
  failure = 1,    ///< Something failed, or damage was found; the same again gives the same.
  usage = 2,      ///< The command line cannot be meant.
  later = 75,     ///< EX_TEMPFAIL: the same again can help once space, a lock or a server is free.
  hung_up = 129,  ///< Stopped by SIGHUP.
  interrupted = 130,  ///< Stopped by SIGINT.
  broken_pipe = 141,  ///< Whoever read our standard output has left.
  terminated = 143,   ///< Stopped by SIGTERM.
};

[[nodiscard]] Exit exit_of(ErrorCode code) noexcept;

/// Of two outcomes the one to end with: being stopped, then failure, then what may pass later.
[[nodiscard]] Exit worse(Exit a, Exit b) noexcept;

/// What a user can do about it: one sentence. Static.
[[nodiscard]] std::string_view cure(ErrorCode code) noexcept;
/// The same, where the error itself says more than its code.
[[nodiscard]] std::string_view cure(const Error& error) noexcept;

}  // namespace chunker::cli
