#include "chunker/memory_chunker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;

static_assert(threads_of<MemoryChunker> == Threads::shared);

constexpr std::size_t kMiB = 1 << 20;

class Memory : public testing::Test {
 protected:
  const std::shared_ptr<const ResolvedOptions> options_ =
      test::small_chunks().chunking.resolve().value();
  std::atomic<int> hash_count_ = 0;
  const std::shared_ptr<HashCache> cache_ =
      std::make_shared<HashCache>(HashAlgorithm::custom("counting", [this](Bytes bytes) {
                                    ++hash_count_;
                                    return HashAlgorithm::sha256().hash(bytes);
                                  }).value());
  MemoryChunker chunker_{options_, cache_};

  /// What a chunker says that has seen nothing before.
  [[nodiscard]] MemoryChunks expected(std::string_view bytes) const {
    MemoryChunker fresh(options_, std::make_shared<HashCache>(HashAlgorithm::sha256()));
    return **fresh.chunk(bytes_of(bytes));
  }
  void expect_right(const Result<std::shared_ptr<const MemoryChunks>>& chunks,
                    std::string_view bytes) const {
    ASSERT_OK(chunks);
    const MemoryChunks wanted = expected(bytes);
    EXPECT_EQ((*chunks)->is_nar, wanted.is_nar);
    EXPECT_EQ((*chunks)->extents, wanted.extents);
    EXPECT_EQ((*chunks)->digests, wanted.digests);
  }
};

TEST_F(Memory, CutsAndHashesLikeAStream) {
  const std::string nar = test::make_nar({{"a", random_bytes(1, 200'000)}, {"b", "text"}});
  for (const std::string& bytes :
       {nar, random_bytes(2, 100'000), std::string("x"), std::string()}) {
    std::vector<ChunkExtent> extents;
    NarAwareChunker stream(options_);
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
      ASSERT_OK(stream.feed(bytes_of(std::string_view(bytes).substr(at, 1000)), extents));
    }
    ASSERT_OK(stream.finish(extents));
    const auto chunks = chunker_.chunk(bytes_of(bytes));
    ASSERT_OK(chunks);
    EXPECT_EQ((*chunks)->extents, extents);
    EXPECT_EQ((*chunks)->is_nar, stream.is_nar());
    for (std::size_t i = 0; i < extents.size(); ++i) {
      const auto chunk = bytes_of(bytes).subspan(extents[i].offset_bytes, extents[i].size_bytes);
      EXPECT_EQ((*chunks)->digests[i], HashAlgorithm::sha256().hash(chunk));
    }
  }
  EXPECT_EQ(chunker_.chunk(bytes_of(std::string_view(nar).substr(0, 1000))).error().code,
            ErrorCode::nar_truncated);
}

TEST_F(Memory, R5_4_WithAHintKnownBytesAreNeitherCutNorHashedAgain) {
  for (const std::string& bytes : {random_bytes(1, kMiB), std::string()}) {
    const auto first = chunker_.chunk(bytes_of(bytes), "hint");
    expect_right(first, bytes);
    const int hash_count = hash_count_;
    const std::string copy = bytes;
    const auto again = chunker_.chunk(bytes_of(copy), "hint");
    ASSERT_OK(again);
    EXPECT_EQ(*again, *first) << "what was remembered";
    EXPECT_EQ(hash_count_, hash_count);
  }
}

TEST_F(Memory, R5_4_WithoutAHintKnownBytesAreCutButNotHashedAgain) {
  const std::string bytes = random_bytes(1, kMiB);
  const auto first = chunker_.chunk(bytes_of(bytes));
  const int hash_count = hash_count_;
  const auto again = chunker_.chunk(bytes_of(bytes));
  ASSERT_OK(again);
  EXPECT_NE(*again, *first);
  expect_right(again, bytes);
  EXPECT_EQ(hash_count_, hash_count);
}

TEST_F(Memory, R5_4_AWrongHintChangesNothing) {
  const std::string bytes = random_bytes(1, 300'000);
  std::vector<std::string> others = {"", bytes + "x", bytes.substr(1), bytes.substr(0, 299'999),
                                     random_bytes(2, 300'000)};
  for (std::size_t at = 0; at < bytes.size(); at += 9973) {
    others.push_back(bytes);
    others.back()[at] ^= 1;
  }
  const std::vector<ChunkExtent> extents = expected(bytes).extents;
  others.push_back(bytes.substr(0, extents.back().offset_bytes));
  others.push_back(bytes.substr(extents.front().size_bytes));
  for (const std::string& other : others) {
    expect_right(chunker_.chunk(bytes_of(bytes), "hint"), bytes);
    expect_right(chunker_.chunk(bytes_of(other), "hint"), other);
  }
}

TEST_F(Memory, R5_4_WhatTheCacheForgotIsHashedAgain) {
  const std::string bytes = random_bytes(1, kMiB);
  expect_right(chunker_.chunk(bytes_of(bytes), "hint"), bytes);
  const int hash_count = hash_count_;
  cache_->shrink_to(kMiB / 2);
  expect_right(chunker_.chunk(bytes_of(bytes), "hint"), bytes);
  EXPECT_GT(hash_count_, hash_count);
}

TEST_F(Memory, R5_4_HintsAreBounded) {
  const auto name = [](std::size_t i) { return std::to_string(i); };
  std::vector<std::weak_ptr<const MemoryChunks>> made;
  for (std::size_t i = 0; i <= MemoryChunker::kHintsMax; ++i) {
    made.push_back(*chunker_.chunk(bytes_of(name(i)), name(i)));
    ASSERT_OK(chunker_.chunk(bytes_of(name(0)), name(0)));
  }
  EXPECT_FALSE(made[0].expired()) << "used all the time";
  EXPECT_TRUE(made[1].expired());
  EXPECT_FALSE(made[2].expired());
}

TEST_F(Memory, R5_4_RememberedChunksAreBounded) {
  ChunkingOptions tiny;
  tiny.recipe.algorithm = ChunkingAlgorithm::fixed;
  tiny.recipe.min_bytes = tiny.recipe.avg_bytes = tiny.recipe.max_bytes = 64;
  const auto options = tiny.resolve();
  ASSERT_OK(options);
  MemoryChunker chunker(*options, std::make_shared<HashCache>(HashAlgorithm::blake3()));
  const std::string bytes(64 * (MemoryChunker::kChunksMax / 2), 'x');
  std::weak_ptr<const MemoryChunks> first = *chunker.chunk(bytes_of(bytes), "first");
  std::weak_ptr<const MemoryChunks> second = *chunker.chunk(bytes_of(bytes), "second");
  EXPECT_FALSE(first.expired());
  std::weak_ptr<const MemoryChunks> too_many =
      *chunker.chunk(bytes_of(bytes + bytes + "x"), "many");
  EXPECT_TRUE(too_many.expired());
  EXPECT_FALSE(first.expired());
  std::weak_ptr<const MemoryChunks> third = *chunker.chunk(bytes_of("x"), "third");
  EXPECT_TRUE(first.expired());
  EXPECT_FALSE(second.expired());
  EXPECT_FALSE(third.expired());
}

TEST_F(Memory, R5_4_R25_3_ManyThreadsShareHints) {
  std::vector<std::string> contents;
  std::vector<MemoryChunks> wanted;
  for (std::uint64_t i = 0; i < 4; ++i) {
    contents.push_back(random_bytes(i, 100'000));
    wanted.push_back(expected(contents.back()));
  }
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::size_t i = 0; i < 40; ++i) {
          const std::size_t which = (thread + i * 3) % 4;
          const auto chunks = chunker_.chunk(bytes_of(contents[which]),
                                             i % 5 == 0 ? "one for all" : contents[which]);
          ASSERT_OK(chunks);
          EXPECT_EQ((*chunks)->digests, wanted[which].digests);
        }
      });
    }
  }
  cache_->shrink_to(0);
}

}  // namespace
}  // namespace chunker
