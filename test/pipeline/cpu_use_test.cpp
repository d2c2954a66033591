#include "pipeline/cpu_use.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace chunker::pipeline {
namespace {

using resource::SchedulerTimes;
using std::chrono::milliseconds;

void compute(milliseconds time) {
  const auto end = resource::thread_cpu_time() + time;
  while (resource::thread_cpu_time() < end) {
  }
}

TEST(CpuUse, R12_5_ThereIsNoneUnlessSomethingIsAskedOfIt) {
  EXPECT_EQ(CpuUse::make_if_any({}, 4), nullptr);
  EXPECT_EQ(CpuUse::make_if_any({.max_threads = 2, .yield = [] {}}, 2), nullptr);
  EXPECT_NE(CpuUse::make_if_any({.nice_level = 1}, 4), nullptr);
  EXPECT_NE(CpuUse::make_if_any({.cpu_time_limit_ms = 1}, 4), nullptr);
  EXPECT_NE(CpuUse::make_if_any({.yield_interval_bytes = 1}, 4), nullptr);
  EXPECT_NE(CpuUse::make_if_any({.ease_off = true}, 4), nullptr);
}

TEST(CpuUse, R10_5_EachThreadYieldsOnceForEveryIntervalOfBytes) {
  std::atomic<int> yields = 0;
  CpuUse use({.yield_interval_bytes = 1000, .yield = [&] { ++yields; }}, 2);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(use.pass(100));
  EXPECT_EQ(yields, 0);
  std::jthread([&] { EXPECT_TRUE(use.pass(999)); }).join();
  EXPECT_EQ(yields, 0) << "each thread counts its own bytes";
  EXPECT_TRUE(use.pass(100));
  EXPECT_EQ(yields, 1);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(use.pass(5000));
  EXPECT_EQ(yields, 6);
}

TEST(CpuUse, R10_5_BlocksAreNoLargerThanTheInterval) {
  const auto block = [](std::uint64_t interval, std::size_t most) {
    return CpuUse({.yield_interval_bytes = interval}, 1).block_bytes(most);
  };
  EXPECT_EQ(block(0, 1 << 20), std::size_t{1} << 20);
  EXPECT_EQ(block(1 << 16, 1 << 20), std::size_t{1} << 16);
  EXPECT_EQ(block(std::uint64_t{1} << 40, 1 << 20), std::size_t{1} << 20);
  EXPECT_EQ(block(1, 1 << 20), 4096U);
}

TEST(CpuUse, R10_4_ThreadsTogetherUseUpTheTime) {
  CpuUse use({.cpu_time_limit_ms = 40}, 2);
  use.finish_one();
  const auto work = [&] {
    const CpuUse::Working working(use);
    compute(milliseconds(25));
  };
  EXPECT_TRUE(use.check_limit());
  std::jthread(work).join();
  EXPECT_TRUE(use.check_limit());
  EXPECT_FALSE(use.stopped());
  std::jthread(work).join();
  const auto checked = use.check_limit();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::cpu_time_limit_exceeded);
  EXPECT_EQ(retry(checked.error().code), Retry::later);
  EXPECT_TRUE(use.stopped());
}

TEST(CpuUse, R10_4_WhoIsAtTheEndOfAnItemIsNotStopped) {
  CpuUse use({.cpu_time_limit_ms = 5}, 1);
  use.finish_one();
  const CpuUse::Working working(use);
  compute(milliseconds(10));
  use.spend(1);
  EXPECT_FALSE(use.stopped()) << "nothing was left undone";
  EXPECT_FALSE(use.pass(1));
  EXPECT_TRUE(use.stopped());
}

TEST(CpuUse, R10_4_WaitingIsNotComputing) {
  CpuUse use({.cpu_time_limit_ms = 40}, 1);
  use.finish_one();
  const CpuUse::Working working(use);
  std::this_thread::sleep_for(milliseconds(60));
  EXPECT_TRUE(use.pass(1));
  compute(milliseconds(45));
  EXPECT_FALSE(use.pass(1));
}

TEST(CpuUse, R10_4_WhatAThreadDidBeforeIsNotCounted) {
  compute(milliseconds(10));
  CpuUse use({.cpu_time_limit_ms = 10}, 1);
  use.finish_one();
  EXPECT_TRUE(use.pass(1));
  const CpuUse::Working working(use);
  EXPECT_TRUE(use.pass(1));
}

TEST(CpuUse, R10_4_OneItemIsFinishedInAnyCase) {
  CpuUse use({.cpu_time_limit_ms = 1}, 1);
  const CpuUse::Working working(use);
  compute(milliseconds(5));
  EXPECT_TRUE(use.pass(1));
  use.finish_one();
  EXPECT_FALSE(use.pass(1));
}

// A scheduler that lets threads wait for so much of their time.
class Scheduler {
 public:
  CpuUse::SchedulerClock clock() {
    return [this]() -> std::optional<SchedulerTimes> { return SchedulerTimes{ran_, waited_}; };
  }
  void go_on(int ran_ms, int waited_ms) {
    ran_ += milliseconds(ran_ms);
    waited_ += milliseconds(waited_ms);
  }

 private:
  std::chrono::nanoseconds ran_{};
  std::chrono::nanoseconds waited_{};
};

TEST(CpuUse, R12_3_ThreadsAreHalvedUnderPressureAndComeBackOneByOne) {
  Scheduler scheduler;
  CpuUse use({.ease_off = true}, 8, scheduler.clock());
  const auto after = [&](int ran_ms, int waited_ms) {
    scheduler.go_on(ran_ms, waited_ms);
    EXPECT_TRUE(use.pass(CpuUse::kSampleBytes));
    return use.threads_allowed();
  };
  EXPECT_EQ(after(0, 0), 8U);
  EXPECT_EQ(after(60, 60), 4U);
  EXPECT_EQ(after(60, 60), 2U);
  EXPECT_EQ(after(85, 20), 2U) << "between pressure and none nothing changes";
  EXPECT_EQ(after(60, 60), 1U);
  EXPECT_EQ(after(10, 90), 1U) << "one goes on in any case";
  EXPECT_EQ(after(50, 0), 1U) << "too little time to tell";
  EXPECT_EQ(after(50, 0), 2U);
  for (unsigned expected = 3; expected <= 8; ++expected) EXPECT_EQ(after(100, 1), expected);
  EXPECT_EQ(after(100, 0), 8U);
}

TEST(CpuUse, R12_3_WithoutASchedulersClockNothingChanges) {
  CpuUse use({.ease_off = true}, 8, [] { return std::nullopt; });
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(use.pass(CpuUse::kSampleBytes));
  EXPECT_EQ(use.threads_allowed(), 8U);
}

}  // namespace
}  // namespace chunker::pipeline
