#include <thread>
#include <type_traits>

#include "codec/samples.hpp"

namespace chunker {
namespace {

// R25.2: it can be handed to another thread, but no two can use it at once: there is nothing that a second
// one could call, since copying is impossible and every method changes it.
template <class T>
concept ReadableWhileShared = requires(const T& scratch) { scratch.slot(CodecId::zstd, true); };

static_assert(threads_of<CompressionScratch> == Threads::movable);
static_assert(!std::is_copy_constructible_v<CompressionScratch>);
static_assert(!std::is_copy_assignable_v<CompressionScratch>);
static_assert(std::is_nothrow_move_constructible_v<CompressionScratch>);
static_assert(!ReadableWhileShared<CompressionScratch>);

TEST(CompressionScratch, R25_2_IsHandedFromThreadToThread) {
  const auto zstd = *CodecRegistry::builtin()->by_id(CodecId::zstd);
  const ByteBuffer input = test::words(100'000);
  CompressionScratch scratch;
  ByteBuffer frame, back;
  std::jthread([&, mine = std::move(scratch)]() mutable {
    ASSERT_TRUE(zstd.compress(input, mine, frame));
    scratch = std::move(mine);
  }).join();
  ASSERT_TRUE(zstd.decompress(frame, input.size(), scratch, back));
  EXPECT_TRUE(test::same(back, input));
}

TEST(CompressionScratch, KeepsOneSlotForEachCodecAndDirection) {
  CompressionScratch scratch;
  std::shared_ptr<void>& first = scratch.slot(CodecId{1024}, true);
  first = std::make_shared<int>(7);
  for (std::uint16_t id = 1025; id < 1100; ++id) {
    EXPECT_EQ(scratch.slot(CodecId{id}, true), nullptr);
  }
  EXPECT_EQ(scratch.slot(CodecId{1024}, false), nullptr);
  EXPECT_EQ(&scratch.slot(CodecId{1024}, true), &first) << "references stay good";
}

TEST(CompressionScratch, ReusesTheContextThatACodecLeft) {
  const auto zstd = *CodecRegistry::builtin()->by_id(CodecId::zstd);
  CompressionScratch scratch;
  ByteBuffer frame;
  ASSERT_TRUE(zstd.compress(bytes_of("one"), scratch, frame));
  const std::shared_ptr<void> context = scratch.slot(CodecId::zstd, true);
  ASSERT_NE(context, nullptr);
  ASSERT_TRUE(zstd.compress(bytes_of("two"), scratch, frame));
  EXPECT_EQ(scratch.slot(CodecId::zstd, true), context);
}

}  // namespace
}  // namespace chunker
