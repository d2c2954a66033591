#include "pipeline/workers.hpp"
#include "support/sanitizers.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace chunker::pipeline {
namespace {

using std::chrono::milliseconds;

const CpuQuota kOwnThreads{.cpu_time_limit_ms = 1'000'000};

/// How many are in work at once.
class Crowd {
 public:
  void enter() {
    const unsigned now = ++inside_;
    unsigned most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void leave() { --inside_; }
  /// Stays inside until `count` were there together; not for ever.
  void wait_for(unsigned count) {
    enter();
    for (int i = 0; i < 2000 && most_ < count; ++i) std::this_thread::sleep_for(milliseconds(5));
    leave();
  }
  [[nodiscard]] unsigned most() const { return most_; }

 private:
  std::atomic<unsigned> inside_{0};
  std::atomic<unsigned> most_{0};
};

TEST(Workers, R10_1_ThreadsAreAsManyAsAskedForAndNoMoreThanTheQuotaAllows) {
  EXPECT_EQ(thread_count(3), 3U);
  EXPECT_EQ(thread_count(0), available_cpus());
  EXPECT_EQ(thread_count(8, {.max_threads = 2}), 2U);
  EXPECT_EQ(thread_count(2, {.max_threads = 8}), 2U);
  EXPECT_EQ(thread_count(0, {.max_threads = 1}), 1U);
}

TEST(Workers, R10_1_OwnThreadsAreAllThatWork) {
  for (const unsigned threads : {1U, 2U, 5U}) {
    CpuUse use(kOwnThreads, threads);
    Crowd crowd;
    for_each_in_order(threads, 4 * threads, [&](std::size_t) { crowd.wait_for(threads); }, &use);
    EXPECT_EQ(crowd.most(), threads);
  }
}

TEST(Workers, OwnThreadsWithNothingToBeginHelpTheOthers) {
  CpuUse use(kOwnThreads, 3);
  Crowd crowd;
  for_each_in_order(
      3, 1,
      [&](std::size_t) {
        tbb::parallel_for(0, 12, [&](int) { crowd.wait_for(3); }, tbb::simple_partitioner());
      },
      &use);
  EXPECT_EQ(crowd.most(), 3U);
}

#ifndef CHUNKER_TEST_SANITIZED  // they reserve terabytes
std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
}

TEST(Workers, AtTheLimitOwnThreadsAreHalfOfWhatCanBeHad) {
  constexpr unsigned kWanted = 100'000;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit some = before;
  some.rlim_cur = rlim_t{6} << 30;  // Less than so many stacks take.
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &some), 0);
  const unsigned startable = startable_threads(kWanted);
  const std::size_t others = threads_of_this_process();
  std::size_t inside = 0;
  CpuUse use(kOwnThreads, kWanted);
  for_each_in_order(
      kWanted, 1,
      [&](std::size_t) {
        std::this_thread::sleep_for(milliseconds(500));
        inside = threads_of_this_process();
      },
      &use);
  EXPECT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_LT(startable, kWanted);
  EXPECT_GT(inside, others);
  EXPECT_LE(inside - others, startable / 2 + 1);
}
#endif

TEST(Workers, EachItemIsWorkedOnOnceAndBegunInOrder) {
  CpuUse use(kOwnThreads, 4);
  for (CpuUse* const whose : {&use, static_cast<CpuUse*>(nullptr)}) {
    for (const unsigned threads : {1U, 4U}) {
      std::vector<std::atomic<int>> times(1000);
      std::vector<std::size_t> order;
      for_each_in_order(
          threads, times.size(),
          [&](std::size_t i) {
            ++times[i];
            if (threads == 1) order.push_back(i);
          },
          whose);
      EXPECT_TRUE(std::ranges::all_of(times, [](const auto& n) { return n == 1; }));
      EXPECT_TRUE(std::ranges::is_sorted(order));
    }
    for_each_in_order(4, 0, [](std::size_t) { ADD_FAILURE(); }, whose);
  }
}

TEST(Workers, R25_4_WhatAWorkerThrowsReachesTheCaller) {
  CpuUse use(kOwnThreads, 4);
  for (CpuUse* const whose : {&use, static_cast<CpuUse*>(nullptr)}) {
    std::atomic<bool> another_thread = false;
    const auto caller = std::this_thread::get_id();
    Crowd crowd;
    const auto run = [&] {
      for_each_in_order(
          4, 64,
          [&](std::size_t i) {
            if (whose != nullptr && i < 4) crowd.wait_for(4);
            if (std::this_thread::get_id() != caller) another_thread = true;
            if (i >= 2) throw std::runtime_error("item " + std::to_string(i));
          },
          whose);
    };
    EXPECT_THROW(run(), std::runtime_error);
    EXPECT_TRUE(whose == nullptr || another_thread);
    const Result<void> caught = catching([&]() -> Result<void> {
      run();
      return {};
    });
    ASSERT_FALSE(caught);
    EXPECT_EQ(caught.error().code, ErrorCode::internal);
    EXPECT_TRUE(caught.error().context.starts_with("item ")) << caught.error().context;
  }
}

TEST(Workers, R25_4_AfterAFailureNothingMoreIsBegun) {
  CpuUse use(kOwnThreads, 2);
  std::atomic<int> begun = 0;
  EXPECT_THROW(for_each_in_order(
                   2, 100'000,
                   [&](std::size_t) {
                     ++begun;
                     throw std::bad_alloc();
                   },
                   &use),
               std::bad_alloc);
  EXPECT_LE(begun, 2);
}

TEST(Workers, R10_1_TheProcessIsLeftAsItIs) {
  constexpr auto kThreads = tbb::global_control::max_allowed_parallelism;
  const std::size_t before = tbb::global_control::active_value(kThreads);
  CpuUse use(kOwnThreads, 64);
  for (CpuUse* const whose : {&use, static_cast<CpuUse*>(nullptr)}) {
    std::size_t inside = 0;
    const unsigned threads = whose != nullptr ? 64 : 1;
    for_each_in_order(
        threads, 1, [&](std::size_t) { inside = tbb::global_control::active_value(kThreads); },
        whose);
    EXPECT_EQ(inside, before);
  }
}

TEST(Workers, R10_3_PriorityIsLoweredForTheOperationAlone) {
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  std::atomic<int> lowest = 19;
  const bool done = at_nice_level(7, [&] {
    CpuUse use({.nice_level = 7}, 3);
    Crowd crowd;
    for_each_in_order(
        3, 6,
        [&](std::size_t) {
          crowd.wait_for(3);
          lowest = std::min(lowest.load(), ::getpriority(PRIO_PROCESS, 0));
        },
        &use);
    return crowd.most() == 3;
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(lowest, std::max(7, mine));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), mine);
}

TEST(Workers, R12_3_FewerItemsAtATimeUnderPressureAndMoreAgainWithout) {
  // Every sample says that 60 ms more went by, waiting or not.
  std::atomic<bool> pressure = true;
  std::atomic<int> samples = 0;
  CpuUse use({.ease_off = true}, 4, [&] {
    const milliseconds whole(60 * ++samples);
    return resource::SchedulerTimes{pressure ? milliseconds(0) : whole,
                                    pressure ? whole : milliseconds(0)};
  });
  const auto pass_until = [&](unsigned allowed) {
    for (int i = 0; i < 100 && use.threads_allowed() != allowed; ++i) {
      EXPECT_TRUE(use.pass(CpuUse::kSampleBytes));
    }
    EXPECT_EQ(use.threads_allowed(), allowed);
  };
  Crowd under_pressure;
  Crowd without;
  for_each_in_order(
      4, 40,
      [&](std::size_t i) {
        if (i == 0) pass_until(1);
        if (i == 19) {
          samples = 0;
          pressure = false;
          pass_until(4);
        }
        // Those that had begun before have ended by then.
        if (i >= 8 && i < 19) {
          under_pressure.enter();
          std::this_thread::sleep_for(milliseconds(5));
          under_pressure.leave();
        }
        if (i >= 20) without.wait_for(4);
      },
      &use);
  EXPECT_EQ(under_pressure.most(), 1U);
  EXPECT_EQ(without.most(), 4U);
}

}  // namespace
}  // namespace chunker::pipeline
