#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "chunker/chunking.hpp"

namespace chunker {
namespace {

TEST(ResolvedOptions, R5_1_EqualOptionsAreValidatedOnce) {
  ChunkingOptions options;
  const auto first = options.resolve();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->get(), ChunkingOptions::nar().resolve()->get());
  EXPECT_EQ((*first)->recipe(), options.recipe);
  options.recipe.seed = 5;
  EXPECT_NE(first->get(), options.resolve()->get());
}

TEST(ResolvedOptions, R5_1_TheMemoryOfOptionsIsBounded) {
  ChunkingOptions options;
  options.recipe.seed = 1000;
  const std::weak_ptr<const ResolvedOptions> first = options.resolve().value();
  EXPECT_FALSE(first.expired());
  for (int i = 0; i < 64; ++i) {
    ++options.recipe.seed;
    ASSERT_TRUE(options.resolve());
  }
  EXPECT_TRUE(first.expired());
}

TEST(ResolvedOptions, R25_1_ManyThreadsShareOptionsAndCutAlike) {
  static_assert(Shareable<ChunkingOptions> && Shareable<ResolvedOptions>);
  ChunkingOptions options;
  options.recipe.seed = 42;
  std::string bytes(3'000'000, '\0');
  std::mt19937 source(1);
  for (char& byte : bytes) byte = static_cast<char>(source());
  std::vector<std::vector<ChunkExtent>> chunks(8);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : chunks) {
      threads.emplace_back([&options, &bytes, &mine] {
        NarAwareChunker chunker(options.resolve().value());
        ASSERT_TRUE(chunker.feed(bytes_of(bytes), mine));
        ASSERT_TRUE(chunker.finish(mine));
      });
    }
  }
  EXPECT_GT(chunks[0].size(), 2U);
  for (const auto& those : chunks) EXPECT_EQ(those, chunks[0]);
}

TEST(ResolvedOptions, R21_4_WrongParametersAreNamedEveryTime) {
  ChunkingOptions options;
  options.recipe.min_bytes = 63;
  for (int i = 0; i < 2; ++i) {
    const auto result = options.resolve();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().context, testing::HasSubstr("min_bytes is 63"));
  }
}

}  // namespace
}  // namespace chunker
