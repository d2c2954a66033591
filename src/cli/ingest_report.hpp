#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "chunker/ingest.hpp"
#include "cli/console.hpp"
#include "cli/exit.hpp"

namespace chunker::cli {

/// Adds up what became of the sources of an ingest and says it.
/// Threads: confined.
class IngestReport {
 public:
  explicit IngestReport(Console& console) : console_(console) {}

  /// `older` is the name that what had this name before has now.
  void add(const Result<IngestedNar>& result, const std::string& older);
  /// Whether every source so far was stored, or failed by itself.
  [[nodiscard]] bool reached_all() const noexcept { return not_reached_ == 0; }
  /// What ended the whole operation.
  void add_error(const Error& error);
  /// Says the sum, unless nothing was begun.
  [[nodiscard]] Exit finish();

 private:
  void add_failure(const Error& error);
  void say_sum() const;
  [[nodiscard]] std::string summary(double seconds) const;

  Console& console_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  IngestedNar total_;
  std::uint64_t nars_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t not_reached_ = 0;
  bool full_ = false;  ///< A full disk was reported.
  Exit exit_ = Exit::ok;
};

}  // namespace chunker::cli
