#pragma once

#include <tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/mutex.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/error.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::pipeline {

/// What the threads of one operation do for its CpuQuota. They call spend() or pass() between two blocks of work: there
/// they yield, their time is counted, and it is felt whether the scheduler lets them wait.
/// Owns:    the quota and what was counted.
/// Threads: shared.
/// Errors:  cpu_time_limit_exceeded.
/// Cost:    about 0.3 us per pass(), 5 more every kSampleBytes with ease_off. Where a quota asks for none of this
///          there is no object, and a block costs one look at a null pointer.
class CpuUse {
 public:
  using SchedulerClock = std::function<std::optional<resource::SchedulerTimes>()>;

  /// With ease_off a thread asks the scheduler's clock once for so many bytes.
  static constexpr std::uint64_t kSampleBytes = 4 << 20;
  /// So much of the threads' time is looked at before their number changes: ten decisions a second and thread.
  static constexpr std::chrono::milliseconds kWindow{100};
  /// Shares of that time spent waiting: above the first there is pressure, below the second there is none. A thread
  /// that has a CPU to itself waits for less than a hundredth, one of two that share a CPU for half.
  static constexpr double kPressure = 0.25;
  static constexpr double kNoPressure = 0.10;

  CpuUse(CpuQuota quota, unsigned threads,
         SchedulerClock scheduler_clock = resource::thread_scheduler_times);

  /// Nothing if the quota asks for no more than a number of threads.
  [[nodiscard]] static std::shared_ptr<CpuUse> make_if_any(const CpuQuota& quota, unsigned threads);

  /// While it lives, the calling thread works for the operation alone.
  class Working {
   public:
    explicit Working(CpuUse& use);
    ~Working();
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

   private:
    CpuUse& use_;
  };

  /// Whether the operation's threads must be its own, and not oneTBB's: only then can their priority be lowered for
  /// good, and their time be told from that of others.
  [[nodiscard]] bool needs_own_threads() const noexcept;
  /// How many bytes to work through at a time, at most.
  [[nodiscard]] std::size_t block_bytes(std::size_t most) const noexcept;
  [[nodiscard]] bool yields() const noexcept { return quota_.yield_interval_bytes != 0; }
  [[nodiscard]] bool limits_time() const noexcept { return quota_.cpu_time_limit_ms != 0; }

  /// The calling thread has worked through `bytes` more.
  void spend(std::uint64_t bytes);
  /// The same, where more of the item is to come.
  /// Errors: cpu_time_limit_exceeded, once an item was finished.
  [[nodiscard]] Result<void> pass(std::uint64_t bytes);
  /// An item of the operation, a file or a NAR, was finished.
  void finish_one() noexcept { is_one_finished_ = true; }
  /// The error of pass(), for items that need not be begun.
  [[nodiscard]] Result<void> check_limit() noexcept;
  /// Whether anybody had that error.
  [[nodiscard]] bool stopped() const noexcept { return is_stopped_; }

  /// How many threads may work now: who begins an item, or goes on with a large one, looks here.
  [[nodiscard]] unsigned threads_allowed() const noexcept { return threads_allowed_; }
  /// Whether these are fewer than there are.
  [[nodiscard]] bool is_eased() const noexcept { return threads_allowed_ < threads_; }
  /// How many of `threads`, a part of the operation's, may work now; one at least.
  [[nodiscard]] unsigned allowed_of(unsigned threads) const noexcept {
    return std::max(1U, threads * threads_allowed_ / threads_);
  }

 private:
  struct Mine {
    std::chrono::nanoseconds counted_until{};
    std::uint64_t bytes_since_yield = 0;
    std::uint64_t bytes_since_sample = 0;
    resource::SchedulerTimes sample{};
  };

  void count_time(Mine& mine) noexcept;
  void yield_if_due(Mine& mine, std::uint64_t bytes) const;
  void feel_pressure(Mine& mine, std::uint64_t bytes);

  const CpuQuota quota_;
  const unsigned threads_;
  const SchedulerClock scheduler_clock_;
  tbb::enumerable_thread_specific<Mine> mine_;
  std::atomic<std::chrono::nanoseconds::rep> used_ns_{0};
  std::atomic<bool> is_one_finished_{false};
  std::atomic<bool> is_stopped_{false};
  std::atomic<unsigned> threads_allowed_;
  base::Mutex mutex_;
  resource::SchedulerTimes window_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
