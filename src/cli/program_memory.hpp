#pragma once

#include <memory>
#include <string>

#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"
#include "cli/json.hpp"

namespace chunker::cli {

/// What --memory-limit allows the whole program: its code, libraries and threads are counted like a long reservation.
/// Owns:    the budget.
/// Threads: confined.
/// Errors:  a usage error for what is no size; memory_limit_exceeded for less than the program takes by itself.
/// Cost:    nothing without a limit. With one, memory that is freed goes back to the system, and new one is had from it.
class ProgramMemory {
 public:
  /// To be called before any thread is started.
  [[nodiscard]] Result<void> limit_to(const std::string& size);
  /// Null without a limit.
  [[nodiscard]] const std::shared_ptr<MemoryBudget>& budget() const noexcept { return budget_; }
  /// Adds the figures of R9.6, if there is a limit.
  void add_usage(Json& object) const;

 private:
  std::shared_ptr<MemoryBudget> budget_;
  MemoryBudget::Reservation program_;
};

}  // namespace chunker::cli
