#include "pipeline/workers.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "resource/descriptors.hpp"

namespace chunker::pipeline {

unsigned thread_count(unsigned asked, const CpuQuota& quota) {
  const unsigned wanted = asked != 0 ? asked : available_cpus();
  return quota.max_threads != 0 ? std::min(wanted, quota.max_threads) : wanted;
}

std::size_t files_at_once(std::size_t wanted, unsigned threads,
                          std::size_t descriptors_each) noexcept {
  // A pack that is written and one that is synced, their folders, RocksDB's next files; a pack that a thread reads.
  const std::size_t kept = 12 + std::size_t{2} * threads;
  const std::size_t left = resource::descriptors_left();
  return std::clamp<std::size_t>((left - std::min(left, kept)) / descriptors_each, 1,
                                 std::max<std::size_t>(wanted, 1));
}

UnderWay nars_under_way(std::size_t nars, unsigned threads, std::size_t nars_each_max,
                        std::size_t descriptors_each) noexcept {
  const std::size_t files =
      files_at_once(std::min(nars, nars_each_max * threads), threads, descriptors_each);
  return {static_cast<unsigned>(std::min<std::size_t>(threads, files)),
          std::max<std::size_t>(files / threads, 1)};
}

unsigned startable_threads(unsigned wanted) noexcept {
  static std::atomic<unsigned> proven{0};
  if (wanted <= proven) return wanted;
  std::latch all_started(1);
  std::vector<std::jthread> threads;
  try {
    // All at once: each needs its own place among the processes, and its own stack.
    threads.reserve(wanted);
    while (threads.size() < wanted) threads.emplace_back([&] { all_started.wait(); });
    proven = wanted;
  } catch (const std::exception&) {
    // What was started so far is what can be had.
  }
  all_started.count_down();
  return static_cast<unsigned>(threads.size());
}

namespace {

/// Isolated: a thread that waits for TBB work inside must not begin another item on top of this one.
void work_alone(const std::function<void(std::size_t)>& work, std::size_t i) {
  tbb::this_task_arena::isolate([&] { work(i); });
}

/// Threads of one call, all but the caller's started here, in an arena that has no room for TBB's.
class OwnThreads {
 public:
  OwnThreads(unsigned threads, std::size_t count, const std::function<void(std::size_t)>& work,
             CpuUse& use)
      : threads_(threads),
        count_(count),
        work_(work),
        use_(use),
        arena_(static_cast<int>(threads), threads),
        helping_(threads),
        running_(threads) {
    for (tbb::task_group& group : helping_) still_running_.push_back(group.defer([] {}));
  }

  void run() {
    {
      std::vector<std::jthread> others;
      others.reserve(threads_ - 1);
      try {
        while (others.size() + 1 < threads_) {
          const auto number = static_cast<unsigned>(others.size() + 1);
          others.emplace_back([this, number] { run_one(number); });
        }
      } catch (const std::exception&) {
        // No more threads to be had.
        running_ -= threads_ - 1 - static_cast<unsigned>(others.size());
      }
      run_one(0);
    }
    const base::Lock lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void run_one(unsigned number) noexcept {
    bool left = false;
    keep_failure([&] {
      const CpuUse::Working working(use_);
      arena_.execute([&] {
        keep_failure([&] { work_off(number); });
        left = true;
        leave();
        // Who has nothing to begin helps those who are still at it, until nobody is.
        helping_[number].wait();
      });
    });
    if (!left) leave();
  }

  void leave() noexcept {
    if (--running_ == 0) still_running_.clear();
  }

  void work_off(unsigned number) {
    while (may_begin(number)) {
      const std::size_t i = next_++;
      if (i >= count_) return;
      work_alone(work_, i);
    }
  }

  template <class Work>
  void keep_failure(const Work& work) noexcept {
    try {
      work();
    } catch (...) {
      next_ = count_;
      const base::Lock lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  /// Waits while others need the CPU more; false if there is nothing left to begin.
  bool may_begin(unsigned number) const {
    while (number >= use_.threads_allowed() && next_ < count_) {
      std::this_thread::sleep_for(kPause);
    }
    return next_ < count_;
  }

  static constexpr std::chrono::milliseconds kPause{10};

  const unsigned threads_;
  const std::size_t count_;
  const std::function<void(std::size_t)>& work_;
  CpuUse& use_;
  tbb::task_arena arena_;
  std::vector<tbb::task_group> helping_;         ///< One for each thread, which waits for it.
  std::vector<tbb::task_handle> still_running_;  ///< These keep them waiting.
  std::atomic<unsigned> running_;
  std::atomic<std::size_t> next_{0};
  base::Mutex mutex_;
  std::exception_ptr failure_ CHUNKER_GUARDED_BY(mutex_);
};

/// At the limit, half of what is left stays for libraries and neighbors.
unsigned threads_to_use(unsigned threads) noexcept {
  const unsigned wanted = threads - 1;
  const unsigned startable = startable_threads(wanted);
  return 1 + (startable < wanted ? startable / 2 : wanted);
}

void for_each_on_tbbs_threads(unsigned threads, std::size_t count,
                              const std::function<void(std::size_t)>& work) {
  // TBB makes no more threads than processors unless told so. Never told to make fewer: that would hold for the whole
  // process, and the arena is enough.
  std::optional<tbb::global_control> allow;
  constexpr auto kThreads = tbb::global_control::max_allowed_parallelism;
  if (threads > tbb::global_control::active_value(kThreads)) allow.emplace(kThreads, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  std::atomic<std::size_t> next{0};
  arena.execute([&] {
    // TBB itself would split the range and begin in the middle of it.
    tbb::parallel_for(
        0U, threads,
        [&](unsigned) {
          for (std::size_t i = next++; i < count; i = next++) work_alone(work, i);
        },
        tbb::simple_partitioner());
  });
}

}  // namespace

void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work, CpuUse* use) {
  threads = threads_to_use(threads);
  if (use != nullptr && use->needs_own_threads()) {
    OwnThreads(threads, count, work, *use).run();
  } else {
    for_each_on_tbbs_threads(threads, count, work);
  }
}

}  // namespace chunker::pipeline
