#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <thread>

#include "pipeline/cpu_use.hpp"

namespace chunker::pipeline {

/// The rows of stages that one operation has, and those of them that are at work: where its quota eases off, no more
/// than threads are allowed.
/// Owns:    the two numbers.
/// Threads: shared.
/// Errors:  none.
/// Cost:    nothing worth mentioning.
class Rows {
 public:
  static constexpr Threads kThreads = Threads::shared;

  /// `cpu` may be null.
  Rows(std::size_t count, const CpuUse* cpu) noexcept : running_(count), cpu_(cpu) {}

  /// A row has run out of work for good.
  void end_one() noexcept { --running_; }

  /// How much a row may have under way. One that has given back its place asks as if it had one.
  [[nodiscard]] std::size_t share(std::size_t least, std::size_t most,
                                  bool has_place) const noexcept {
    if (cpu_ == nullptr || !cpu_->is_eased()) {
      return std::max(least, most / std::max<std::size_t>(running_, 1));
    }
    const std::size_t at_work = at_work_ + (has_place ? 0 : 1);
    return std::max<std::size_t>(1, places() / std::max<std::size_t>(at_work, 1));
  }
  [[nodiscard]] bool is_crowded() const noexcept { return at_work_ > places(); }

  /// While it lives, a row is at work. Waits until it may; whoever waits holds nothing that another needs.
  class Place {
   public:
    explicit Place(Rows& rows) : rows_(rows) {
      while (!rows_.try_begin()) std::this_thread::sleep_for(kPause);
    }
    ~Place() { --rows_.at_work_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    Rows& rows_;
  };

 private:
  static constexpr std::chrono::milliseconds kPause{10};

  [[nodiscard]] std::size_t places() const noexcept {
    return cpu_ != nullptr ? cpu_->threads_allowed() : std::numeric_limits<std::size_t>::max();
  }
  [[nodiscard]] bool try_begin() noexcept {
    std::size_t now = at_work_;
    while (now < places()) {
      if (at_work_.compare_exchange_weak(now, now + 1)) return true;
    }
    return false;
  }

  std::atomic<std::size_t> running_;
  std::atomic<std::size_t> at_work_{0};
  const CpuUse* const cpu_;
};

/// How much one of several rows of stages may have under way at once: all rows together as much as one alone, but each at
/// least `least`. Otherwise memory would grow with the square of the threads. A row that has run out of NARs leaves its
/// part to the others; under pressure each has less, down to one, and some have none for a time. For all that the stages
/// stop for a moment and begin again: oneTBB's pipelines neither grow nor shrink while they run, and a thread that paused
/// inside one might hold what another needs.
/// Owns:    the row's place among those at work.
/// Threads: one row's.
/// Errors:  none.
/// Cost:    a division per look.
class RowShare {
 public:
  RowShare(std::size_t least, std::size_t most, Rows& rows)
      : least_(std::min(least, most)), most_(most), rows_(rows) {}

  /// Calls run_stages(most under way) until it ends by itself.
  template <class RunStages>
  void run(const RunStages& run_stages) {
    do {
      place_.emplace(rows_);
      now_ = rows_.share(least_, most_, true);
      changes_ = false;
      run_stages(now_);
      place_.reset();
    } while (changes_);
  }

  /// Whether the stages should stop, to begin again with more or with less. What `may_wait` for its input takes no place
  /// meanwhile, so that it keeps no other row waiting.
  [[nodiscard]] bool changes(bool may_wait = false) noexcept {
    if (may_wait) place_.reset();
    const std::size_t share = rows_.share(least_, most_, place_.has_value());
    const bool is_out_of_place = place_ ? rows_.is_crowded() : !may_wait;
    return changes_ = is_out_of_place || share < now_ || share >= 2 * now_;
  }

 private:
  const std::size_t least_, most_;
  Rows& rows_;
  std::optional<Rows::Place> place_;
  std::size_t now_ = 0;
  bool changes_ = false;
};

}  // namespace chunker::pipeline
