#pragma once

namespace chunker::base {

/// Ends the process with file, line and the condition that did not hold.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace chunker::base

/// States what must hold whatever the input; a failure is a mistake of ours, so it ends the process.
#define CHUNKER_CHECK(condition) \
  ((condition) ? void(0) : ::chunker::base::check_failed(#condition, __FILE__, __LINE__))
