#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "cli/console.hpp"
#include "cli/program_memory.hpp"

namespace chunker::cli {

/// One run of the program, from its arguments to its exit code.
struct Session {
  std::stop_source stop;
  Console console{stop};
  std::function<Exit()> command;  ///< What the command line asks for; set while it is parsed.
  int nice_level = 0;             ///< At which the program runs.
  std::string memory_limit;       ///< What the user said; empty is none.
  ProgramMemory memory;
  bool needs_threads = false;  ///< The command opens a store, whose index has threads of its own.
};

}  // namespace chunker::cli
