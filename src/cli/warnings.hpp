#pragma once

#include "cli/console.hpp"

namespace chunker::cli {

/// While it lives, what the library warns of is a line of the console: "chunker: warning: ...".
/// Owns:    the process's log sink; at most one of it lives at a time.
/// Threads: confined; warnings come from any thread.
/// Errors:  none.
class Warnings {
 public:
  /// `console` outlives it.
  explicit Warnings(Console& console);
  ~Warnings();
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
};

}  // namespace chunker::cli
