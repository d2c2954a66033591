#include "resource/thread_cpu.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <thread>

namespace chunker::resource {
namespace {

using std::chrono::milliseconds;

void compute(milliseconds time) {
  const auto end = thread_cpu_time() + time;
  while (thread_cpu_time() < end) {
  }
}

TEST(ThreadCpu, CountsWhatTheThreadComputesAndNotWhereItWaits) {
  const auto start = thread_cpu_time();
  std::this_thread::sleep_for(milliseconds(60));
  EXPECT_LT(thread_cpu_time() - start, milliseconds(30));
  std::jthread([] { compute(milliseconds(60)); }).join();
  EXPECT_LT(thread_cpu_time() - start, milliseconds(30));
  compute(milliseconds(40));
  EXPECT_GE(thread_cpu_time() - start, milliseconds(40));
}

TEST(ThreadCpu, TheProcessCountsAllItsThreads) {
  const auto start = process_cpu_time();
  std::jthread([] { compute(milliseconds(30)); }).join();
  EXPECT_GE(process_cpu_time() - start, milliseconds(30));
}

TEST(ThreadCpu, R12_3_TheKernelTellsWhatAThreadRanAndWaited) {
  const auto before = thread_scheduler_times();
  if (!before) return;  // A kernel without CONFIG_SCHED_INFO.
  compute(milliseconds(40));
  const auto after = thread_scheduler_times();
  ASSERT_TRUE(after);
  EXPECT_GT(after->ran - before->ran, milliseconds(20));
  EXPECT_GE(after->waited, before->waited);
}

TEST(ThreadCpu, R10_3_PriorityIsTheThreadsOwnAndItsChildrens) {
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  int lowered = -1;
  int inherited = -1;
  int not_raised = -1;
  std::jthread([&] {
    lower_thread_priority(19);
    lowered = ::getpriority(PRIO_PROCESS, 0);
    std::jthread([&] { inherited = ::getpriority(PRIO_PROCESS, 0); }).join();
    lower_thread_priority(1);
    not_raised = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(lowered, 19);
  EXPECT_EQ(inherited, 19);
  EXPECT_EQ(not_raised, 19);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), mine);
}

}  // namespace
}  // namespace chunker::resource
