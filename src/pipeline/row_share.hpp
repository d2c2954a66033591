#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace chunker::pipeline {

/// How much one of several rows of stages may have under way at once: all rows together as much as one alone, but each at
/// least `least`. Otherwise memory would grow with the square of the threads. A row that has run out of NARs leaves its
/// part to the others: they stop for a moment and begin again with more, for oneTBB's pipelines do not grow while they
/// run.
/// Owns:    nothing; `row_count` is of those rows that still run.
/// Threads: one row's.
/// Errors:  none.
/// Cost:    a division per look.
class RowShare {
 public:
  RowShare(std::size_t least, std::size_t most, const std::atomic<std::size_t>& row_count)
      : least_(std::min(least, most)), most_(most), row_count_(row_count) {}

  /// Calls run_stages(most under way) until it ends by itself.
  template <class RunStages>
  void run(const RunStages& run_stages) {
    do {
      now_ = share();
      grows_ = false;
      run_stages(now_);
    } while (grows_);
  }

  /// Whether the stages should stop, to begin again with more.
  [[nodiscard]] bool grows() noexcept { return grows_ = share() >= 2 * now_; }

 private:
  [[nodiscard]] std::size_t share() const noexcept {
    return std::max(least_, most_ / std::max<std::size_t>(row_count_, 1));
  }

  const std::size_t least_, most_;
  const std::atomic<std::size_t>& row_count_;
  std::size_t now_ = 0;
  bool grows_ = false;
};

}  // namespace chunker::pipeline
