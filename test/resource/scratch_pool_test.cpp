#include "chunker/scratch_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <type_traits>
#include <vector>

namespace chunker {
namespace {

constexpr std::size_t kMiB = 1 << 20;

static_assert(threads_of<ScratchPool> == Threads::shared);
static_assert(!std::is_copy_constructible_v<ScratchBuffer>);
static_assert(std::is_nothrow_move_constructible_v<ScratchBuffer>);

TEST(ScratchPool, R5_3_GivesOutTheMemoryThatCameBack) {
  ScratchPool pool;
  ByteBuffer first = pool.take(kMiB);
  EXPECT_TRUE(first.empty());
  EXPECT_GE(first.capacity(), kMiB);
  first.resize(700);
  const std::byte* const memory = first.data();
  pool.give(std::move(first));
  ByteBuffer second = pool.take(kMiB / 2);
  EXPECT_EQ(second.data(), memory);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(pool.allocation_count(), 1U);
  EXPECT_NE(pool.take(kMiB).data(), memory) << "it is out";
  EXPECT_EQ(pool.allocation_count(), 2U);
}

TEST(ScratchPool, R5_3_ManyOperationsAllocateOnce) {
  ScratchPool pool;
  for (std::size_t i = 0; i < 1000; ++i) {
    ScratchBuffer payload(pool), raw(pool);
    payload.emptied(300'000 + i).resize(300'000);
    raw.emptied(kMiB).resize(kMiB);
  }
  EXPECT_EQ(pool.allocation_count(), 2U);
}

TEST(ScratchPool, TakesTheSmallestThatFits) {
  ScratchPool pool;
  ByteBuffer large = pool.take(4 * kMiB), small = pool.take(kMiB);
  const std::byte* const expected = small.data();
  pool.give(std::move(large));
  pool.give(std::move(small));
  EXPECT_EQ(pool.take(kMiB / 2).data(), expected);
  EXPECT_GE(pool.take(2 * kMiB).capacity(), 4 * kMiB);
  EXPECT_EQ(pool.allocation_count(), 2U);
}

TEST(ScratchPool, CountsWhatItHoldsAndStaysWithinItsBound) {
  ScratchPool pool(3 * kMiB);
  std::vector<ByteBuffer> out;
  for (int i = 0; i < 5; ++i) out.push_back(pool.take(kMiB));
  EXPECT_EQ(pool.held_bytes(), 0U);
  for (ByteBuffer& buffer : out) pool.give(std::move(buffer));
  EXPECT_EQ(pool.held_bytes(), 3 * kMiB);
  pool.give(ByteBuffer(8 * kMiB));
  pool.give(ByteBuffer());
  pool.give(ByteBuffer(10));
  EXPECT_EQ(pool.held_bytes(), 3 * kMiB);
  ScratchPool none(0);
  none.give(ByteBuffer(kMiB));
  EXPECT_EQ(none.held_bytes(), 0U);
}

TEST(ScratchPool, R5_3_TooSmallOnesMakeWay) {
  ScratchPool pool;
  for (std::size_t size = kMiB / 8; size <= 4 * kMiB; size += 12'345) pool.give(pool.take(size));
  EXPECT_GE(pool.held_bytes(), 4 * kMiB - 12'345);
  EXPECT_LE(pool.held_bytes(), 5 * kMiB) << "one buffer was out at a time, so one is left";
  EXPECT_LT(pool.allocation_count(), 30U);
}

TEST(ScratchPool, KeepsAsManyAsItHasPlacesFor) {
  ScratchPool pool(1000 * kMiB);
  for (std::size_t i = 0; i < 300; ++i) pool.give(ByteBuffer(kMiB));
  EXPECT_EQ(pool.held_bytes(), 256 * kMiB);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(pool.take(kMiB).capacity(), kMiB);
  EXPECT_EQ(pool.held_bytes(), 0U);
  EXPECT_EQ(pool.allocation_count(), 0U);
}

TEST(ScratchPool, ShrinksToWhatIsAskedFor) {
  ScratchPool pool;
  std::vector<ByteBuffer> out;
  for (int i = 0; i < 8; ++i) out.push_back(pool.take(kMiB));
  for (ByteBuffer& buffer : out) pool.give(std::move(buffer));
  pool.shrink_to(20 * kMiB);
  EXPECT_EQ(pool.held_bytes(), 8 * kMiB);
  pool.shrink_to(5 * kMiB / 2);
  EXPECT_EQ(pool.held_bytes(), 2 * kMiB);
  pool.shrink_to(0);
  EXPECT_EQ(pool.held_bytes(), 0U);
  EXPECT_GE(pool.take(kMiB).capacity(), kMiB);
  EXPECT_EQ(pool.allocation_count(), 9U);
}

TEST(ScratchPool, R5_3_FindsWhatAnotherThreadGaveBack) {
  ScratchPool pool;
  for (int i = 0; i < 40; ++i) {
    ByteBuffer buffer = pool.take(kMiB);
    std::jthread([&] { pool.give(std::move(buffer)); }).join();
  }
  EXPECT_EQ(pool.allocation_count(), 1U);
}

TEST(ScratchPool, R5_3_ThreadsTogetherAllocateWhatTheyHoldAtOnceAndStayWithinTheBound) {
  constexpr std::size_t kThreads = 4, kBuffersEach = 2, kBound = 6 * kMiB;
  ScratchPool pool(kBound);
  std::atomic<std::size_t> held_max{0}, taken_twice{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 2000; ++i) {
          ScratchBuffer mine[kBuffersEach] = {ScratchBuffer(pool), ScratchBuffer(pool)};
          for (ScratchBuffer& one : mine) {
            ByteBuffer& bytes = one.emptied(kMiB / 2 + i);
            bytes.resize(kMiB / 2);
            bytes.data()[0] = bytes.data()[bytes.size() - 1] = static_cast<std::byte>(t);
          }
          for (ScratchBuffer& one : mine) {
            const Bytes bytes = one.bytes();
            if (bytes.front() != std::byte(t) || bytes.back() != std::byte(t)) ++taken_twice;
          }
          const std::size_t held = pool.held_bytes();
          for (std::size_t most = held_max; most < held;) {
            if (held_max.compare_exchange_weak(most, held)) break;
          }
        }
      });
    }
  }
  EXPECT_EQ(taken_twice, 0U);
  // A give that is refused is counted for a moment.
  EXPECT_LE(held_max, kBound + kThreads * kMiB);
  EXPECT_LE(pool.held_bytes(), kBound);
  EXPECT_LT(pool.allocation_count(), 100U) << "of " << kThreads * kBuffersEach * 2000;
}

TEST(ScratchBuffer, GivesBackWhatItHadWhenItTakesAnother) {
  ScratchPool pool;
  ScratchBuffer a(pool), b(pool);
  a.emptied(kMiB).resize(5);
  b = std::move(a);
  EXPECT_EQ(b.bytes().size(), 5U);
  EXPECT_TRUE(b.emptied(10).empty());
  EXPECT_EQ(pool.held_bytes(), 0U);
  ScratchBuffer c(pool);
  (void)c.emptied(kMiB);
  b = std::move(c);
  EXPECT_EQ(pool.held_bytes(), kMiB);
  (void)b.emptied(2 * kMiB);
  const ByteBuffer kept = b.release();
  EXPECT_GE(kept.capacity(), 2 * kMiB);
  EXPECT_EQ(pool.allocation_count(), 3U);
}

}  // namespace
}  // namespace chunker
