#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "chunker/ingest.hpp"
#include "cli/console.hpp"
#include "cli/exit.hpp"
#include "cli/program_memory.hpp"

namespace chunker::cli {

/// What of the machine an ingest may use.
struct CpuShare {
  unsigned threads = 0;
  int nice_level = 0;
  std::uint64_t cpu_time_limit_ms = 0;  ///< 0 is without end.
};

/// Adds up what became of the sources of an ingest and says it.
/// Threads: confined.
class IngestReport {
 public:
  IngestReport(Console& console, const CpuShare& share, const ProgramMemory& memory)
      : console_(console), share_(share), memory_(memory) {}

  void add(const Result<IngestedNar>& result);
  /// So many sources were stored by an earlier run.
  void add_skipped(std::size_t count) noexcept { skipped_ += count; }
  /// Whether every source so far was stored.
  [[nodiscard]] bool stored_all() const noexcept { return failed_ + not_reached_ == 0; }
  /// Whether every source so far was stored, or failed by itself.
  [[nodiscard]] bool reached_all() const noexcept { return not_reached_ == 0; }
  /// What ended the whole operation.
  void add_error(const Error& error);
  /// Says the sum, unless nothing was begun.
  [[nodiscard]] Exit finish();

 private:
  void add_failure(const Error& error);
  void say_sum() const;
  void add_cpu(Json& object) const;
  [[nodiscard]] std::string summary(double seconds) const;

  Console& console_;
  const CpuShare share_;
  const ProgramMemory& memory_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  IngestedNar total_;
  std::uint64_t nars_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t not_reached_ = 0;
  std::uint64_t skipped_ = 0;
  bool full_ = false;     ///< A full disk was reported.
  bool is_late_ = false;  ///< The CPU time was used up.
  Exit exit_ = Exit::ok;
};

}  // namespace chunker::cli
