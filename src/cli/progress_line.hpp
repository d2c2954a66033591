#pragma once

#include <chrono>
#include <string>

#include "chunker/ingest.hpp"

namespace chunker::cli {

/// Turns figures of progress into one line for a terminal, with the rate of the last seconds and the time
/// that is left at that rate.
/// Threads: movable.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  /// The line for `progress`, at most `columns` wide; nothing if the last one is younger than a tenth of
  /// a second.
  [[nodiscard]] std::string update(const Progress& progress, Clock::time_point now,
                                   std::size_t columns);

 private:
  void measure(const Progress& progress, Clock::time_point now);

  Clock::time_point last_{};
  std::uint64_t last_bytes_ = 0;
  double bytes_per_second_ = 0;
};

}  // namespace chunker::cli
