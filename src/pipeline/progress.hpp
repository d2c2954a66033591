#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "chunker/ingest.hpp"
#include "pipeline/caller_errors.hpp"

namespace chunker::pipeline {

/// Counts what was done and tells the caller now and then.
/// Threads: shared.
class ProgressMeter {
 public:
  ProgressMeter(OnProgress on_progress, std::uint64_t files_total, std::uint64_t bytes_total)
      : on_progress_(std::move(on_progress)),
        files_total_(files_total),
        bytes_total_(bytes_total) {}

  void add_bytes(std::uint64_t count) {
    bytes_.fetch_add(count, std::memory_order_relaxed);
    tell();
  }
  void add_file() { files_.fetch_add(1, std::memory_order_relaxed); }
  /// What the caller's function has thrown first.
  [[nodiscard]] Result<void> told() const { return caller_errors_.first(); }

  [[nodiscard]] Progress now() const {
    return {files_.load(std::memory_order_relaxed), files_total_,
            bytes_.load(std::memory_order_relaxed), bytes_total_,
            std::chrono::duration<double>(Clock::now() - begin_).count()};
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kInterval = std::chrono::milliseconds(50);

  /// Whoever comes first after the interval tells; the others do not wait for it.
  void tell() {
    if (!on_progress_) return;
    const std::unique_lock lock(telling_, std::try_to_lock);
    if (!lock || Clock::now() - told_ < kInterval) return;
    told_ = Clock::now();
    caller_errors_.keep_of([this] { on_progress_(now()); });
  }

  OnProgress on_progress_;
  CallerErrors caller_errors_;
  const std::uint64_t files_total_;
  const std::uint64_t bytes_total_;
  const Clock::time_point begin_ = Clock::now();
  std::atomic<std::uint64_t> files_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::mutex telling_;
  Clock::time_point told_ = begin_;
};

}  // namespace chunker::pipeline
