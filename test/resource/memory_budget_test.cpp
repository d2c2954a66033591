#include "chunker/memory_budget.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/scratch_pool.hpp"

namespace chunker {
namespace {

constexpr std::size_t kMiB = 1 << 20;

static_assert(threads_of<MemoryBudget> == Threads::shared);
static_assert(!std::is_copy_constructible_v<MemoryBudget>);
static_assert(!std::is_copy_constructible_v<MemoryBudget::Reservation>);
static_assert(std::is_nothrow_move_constructible_v<MemoryBudget::Reservation>);

std::shared_ptr<MemoryBudget> budget_of(std::size_t soft, std::size_t hard) {
  return std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.soft_limit_bytes = soft, .hard_limit_bytes = hard});
}

/// A cache of one number.
class Kept {
 public:
  explicit Kept(MemoryBudget& budget)
      : budget_(budget), evictor_(budget.add_evictor([this](std::size_t bytes) {
          const base::Lock lock(mutex_);
          ++asked_;
          const std::size_t freed = std::min(bytes, bytes_);
          bytes_ -= freed;
          budget_.let_go(freed);
        })) {}
  ~Kept() {
    evictor_ = {};
    budget_.let_go(bytes_);
  }

  bool keep(std::size_t bytes) {
    const base::Lock lock(mutex_);
    if (!budget_.try_keep(bytes)) return false;
    bytes_ += bytes;
    return true;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  MemoryBudget& budget_;
  base::Mutex mutex_;
  std::size_t bytes_ = 0;  // Evicted by other threads.
  int asked_ = 0;
  MemoryBudget::Evictor evictor_;
};

TEST(MemoryBudget, R9_1_CountsOperationsCachesAndScratchTogether) {
  const auto budget = budget_of(0, 100 * kMiB);
  const auto operation = budget->reserve(10 * kMiB);
  ASSERT_TRUE(operation);
  Kept cache(*budget);
  ASSERT_TRUE(cache.keep(5 * kMiB));
  ScratchPool scratch(ScratchPool::kHeldBytesMax, budget);
  scratch.give(scratch.take(2 * kMiB));
  EXPECT_EQ(budget->usage().current_usage_bytes, 17 * kMiB);
  EXPECT_EQ(scratch.take(kMiB).capacity(), 2 * kMiB);
  EXPECT_EQ(budget->usage().current_usage_bytes, 15 * kMiB) << "it is the taker's now";
}

TEST(MemoryBudget, R9_1_WhatEndsCountsNoLonger) {
  const auto budget = budget_of(0, 100 * kMiB);
  {
    auto operation = budget->reserve(10 * kMiB);
    ASSERT_TRUE(operation);
    const MemoryBudget::Reservation moved = *std::move(operation);
    EXPECT_EQ(moved.bytes(), 10 * kMiB);
    EXPECT_EQ(budget->usage().current_usage_bytes, 10 * kMiB);
    ScratchPool scratch(ScratchPool::kHeldBytesMax, budget);
    scratch.give(scratch.take(2 * kMiB));
    EXPECT_EQ(budget->usage().current_usage_bytes, 12 * kMiB);
  }
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
}

TEST(MemoryBudget, R9_2_CachesMakeWayAtTheSoftLimit) {
  const auto budget = budget_of(50 * kMiB, 100 * kMiB);
  Kept first(*budget), second(*budget);
  ASSERT_TRUE(first.keep(20 * kMiB));
  ASSERT_TRUE(second.keep(30 * kMiB));
  EXPECT_FALSE(second.keep(1)) << "a cache does not go beyond the soft limit";
  const auto fits = budget->reserve(15 * kMiB);
  ASSERT_TRUE(fits);
  EXPECT_EQ(second.bytes(), 15 * kMiB) << "the one added last comes first";
  EXPECT_EQ(first.bytes(), 20 * kMiB) << "no more is evicted than has to be";
  const auto large = budget->reserve(70 * kMiB);
  ASSERT_TRUE(large) << "operations may go on to the hard limit";
  EXPECT_EQ(first.bytes() + second.bytes(), 0U);
  EXPECT_EQ(budget->usage().current_usage_bytes, 85 * kMiB);
}

TEST(MemoryBudget, R9_2_TheScratchPoolFreesItsBuffers) {
  const auto budget = budget_of(8 * kMiB, 10 * kMiB);
  ScratchPool scratch(ScratchPool::kHeldBytesMax, budget);
  std::vector<ByteBuffer> out;
  for (int i = 0; i < 3; ++i) out.push_back(scratch.take(4 * kMiB));
  for (ByteBuffer& buffer : out) scratch.give(std::move(buffer));
  EXPECT_EQ(scratch.held_bytes(), 8 * kMiB) << "what finds no room is freed at once";
  const auto operation = budget->reserve(7 * kMiB);
  ASSERT_TRUE(operation);
  EXPECT_EQ(scratch.held_bytes(), 0U);
}

TEST(MemoryBudget, R9_3_RefusesWhatExceedsTheHardLimit) {
  const auto budget = budget_of(50 * kMiB, 100 * kMiB);
  auto most = budget->reserve(90 * kMiB);
  ASSERT_TRUE(most);
  const auto refused = budget->reserve(20 * kMiB);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::memory_limit_exceeded);
  EXPECT_EQ(refused.error().context, "20971520 bytes are needed, 10485760 of 104857600 are left");
  EXPECT_EQ(retry(refused.error().code), Retry::later);
  EXPECT_EQ(budget->usage().current_usage_bytes, 90 * kMiB) << "nothing is left of what failed";
  most = MemoryBudget::Reservation();
  EXPECT_TRUE(budget->reserve(100 * kMiB));
}

TEST(MemoryBudget, R9_3_RefusesSizesBeyondAllNumbers) {
  const auto budget = budget_of(0, 100 * kMiB);
  constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();
  EXPECT_FALSE(budget->reserve(kHuge));
  EXPECT_FALSE(budget->reserve_for(3, kHuge / 2, kHuge / 2 + 9));
  MemoryBudget unlimited;
  EXPECT_FALSE(unlimited.is_limited());
  EXPECT_TRUE(unlimited.reserve(kHuge / 4));
  EXPECT_EQ(unlimited.usage().peak_usage_bytes, kHuge / 4);
}

TEST(MemoryBudget, R9_4_ABufferHasACeiling) {
  MemoryBudget usual;
  EXPECT_TRUE(usual.check_buffer(256 * kMiB));
  EXPECT_EQ(usual.check_buffer(256 * kMiB + 1).error().code, ErrorCode::memory_limit_exceeded);
  MemoryBudget small({.max_buffer_size = 10});
  EXPECT_EQ(small.check_buffer(11).error().context, "11 bytes are needed, 10 are allowed");
}

TEST(MemoryBudget, R9_5_AsManyOperationsAsFit) {
  const auto budget = budget_of(50 * kMiB, 100 * kMiB);
  {
    const auto all = budget->reserve_for(4, 10 * kMiB, 5 * kMiB);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->count, 4U);
    EXPECT_EQ(all->memory.bytes(), 45 * kMiB);
    const auto one = budget->reserve_for(4, 10 * kMiB, 5 * kMiB);
    ASSERT_TRUE(one) << "one may go beyond the soft limit";
    EXPECT_EQ(one->count, 1U);
  }
  const auto some = budget->reserve_for(100, 10 * kMiB, 5 * kMiB);
  ASSERT_TRUE(some);
  EXPECT_EQ(some->count, 4U);
  EXPECT_FALSE(budget->reserve_for(2, 60 * kMiB));
}

TEST(MemoryBudget, R9_6_ReportsUsagePeakAndCount) {
  const auto budget = budget_of(0, 100 * kMiB);
  {
    const auto operation = budget->reserve(30 * kMiB);
  }
  const auto small = budget->reserve(kMiB);
  Kept cache(*budget);
  ASSERT_TRUE(cache.keep(10));
  const MemoryUsage usage = budget->usage();
  EXPECT_EQ(usage.current_usage_bytes, kMiB + 10);
  EXPECT_EQ(usage.peak_usage_bytes, 30 * kMiB);
  EXPECT_EQ(usage.allocation_count, 3U);
  EXPECT_FALSE(budget->reserve(200 * kMiB));
  EXPECT_EQ(budget->usage().allocation_count, 3U) << "what was refused was not given out";
}

TEST(MemoryBudget, R11_1_EvictsAndTriesAgainWhenAllocationFails) {
  int calls = 0;
  MemoryBudget budget({.allocate = [&calls](std::size_t bytes) {
    if (++calls == 1) throw std::bad_alloc();
    ByteBuffer buffer;
    buffer.reserve(bytes);
    return buffer;
  }});
  Kept first(budget), second(budget);
  ASSERT_TRUE(first.keep(10) && second.keep(20));
  EXPECT_GE(budget.allocate(100).capacity(), 100U);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(first.bytes() + second.bytes(), 0U) << "both were evicted";
  EXPECT_EQ(first.asked(), 1);
}

TEST(MemoryBudget, R11_1_GivesUpAfterTheSecondTime) {
  int calls = 0;
  const auto budget = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.allocate = [&calls](std::size_t) -> ByteBuffer {
        ++calls;
        throw std::bad_alloc();
      }});
  ScratchPool scratch(ScratchPool::kHeldBytesMax, budget);
  EXPECT_THROW((void)scratch.take(100), std::bad_alloc);
  EXPECT_EQ(calls, 2);
}

TEST(MemoryBudget, HoldsUnderManyThreads) {
  const auto budget = budget_of(50 * kMiB, 60 * kMiB);
  ScratchPool scratch(ScratchPool::kHeldBytesMax, budget);
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        Kept cache(*budget);
        for (int i = 0; i < 500; ++i) {
          if (!budget->reserve(9 * kMiB)) ++refused;
          (void)cache.keep(kMiB);
          scratch.give(scratch.take(kMiB));
        }
      });
    }
  }
  scratch.shrink_to(0);
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
  EXPECT_LE(budget->usage().peak_usage_bytes, 60 * kMiB);
}

}  // namespace
}  // namespace chunker
