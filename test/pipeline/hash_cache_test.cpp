#include "chunker/hash_cache.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "chunker/batch.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;

class CachedHashes : public test::StoreFixture {
 protected:
  /// The digests of one file's chunks, in order.
  std::vector<Digest> digests_of(const std::filesystem::path& file, BatchOptions batch) {
    auto stream = batch_chunk_files({file}, test::small_chunks().chunking, std::move(batch));
    EXPECT_OK(stream);
    auto result = stream->next();
    EXPECT_OK(result->chunks);
    return result->chunks->digests;
  }
};

TEST_F(CachedHashes, R3_1_ABatchAsksTheCacheFirst) {
  const auto file = write_nar("file", random_bytes(1, 500'000));
  const auto expected = digests_of(file, {});
  const auto cache = std::make_shared<HashCache>(HashAlgorithm::blake3());
  EXPECT_EQ(digests_of(file, {.hash_cache = cache}), expected);
  EXPECT_EQ(cache->stats().miss_count, expected.size());
  EXPECT_EQ(digests_of(file, {.hash_cache = cache}), expected);
  EXPECT_EQ(cache->stats().miss_count, expected.size());
  EXPECT_EQ(cache->stats().hit_count, expected.size());
}

TEST_F(CachedHashes, R3_1_R3_6_ABatchOfManyThreadsOnOneLargeFile) {
  const auto file = write_nar("file", random_bytes(2, 30 << 20));
  const auto expected = digests_of(file, {.threads = 1});
  const auto cache = std::make_shared<HashCache>(HashAlgorithm::blake3());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(digests_of(file, {.threads = 4, .hash_cache = cache}), expected);
  }
  EXPECT_EQ(cache->stats().hit_count, expected.size());
}

TEST_F(CachedHashes, R3_1_AnIngestAsksTheCacheFirst) {
  auto store = open();
  ASSERT_OK(store);
  const std::string nar = test::make_nar({{"a", random_bytes(3, 300'000)}});
  IngestOptions options = test::small_chunks();
  options.hash_cache = std::make_shared<HashCache>(options_.hash);
  ASSERT_OK(take_in(*store, {{"one", nar}}, options));
  const HashCacheStats first = options.hash_cache->stats();
  EXPECT_EQ(first.hit_count, 0U);
  EXPECT_GT(first.entry_count, 10U);
  ASSERT_OK(take_in(*store, {{"two", nar}}, options));
  EXPECT_EQ(options.hash_cache->stats().miss_count, first.miss_count);
  EXPECT_EQ(options.hash_cache->stats().hit_count, first.miss_count);
  EXPECT_EQ(reported_.at("two")->new_chunks, 0U);
  EXPECT_EQ(give_back(*store, "one"), nar);
}

TEST_F(CachedHashes, R3_1_ACacheOfAnotherHashIsRefused) {
  auto store = open();
  ASSERT_OK(store);
  const HashAlgorithm other = *HashAlgorithm::custom(
      "other", [](Bytes bytes) { return HashAlgorithm::sha256().hash(bytes); });
  IngestOptions options = test::small_chunks();
  options.hash_cache = std::make_shared<HashCache>(other);
  EXPECT_EQ(take_in(*store, {{"one", test::make_nar({})}}, options).error().code,
            ErrorCode::invalid_argument);
  const auto batch = batch_chunk_files({}, {}, {.hash_cache = options.hash_cache});
  EXPECT_EQ(batch.error().code, ErrorCode::invalid_argument);
  EXPECT_OK(batch_chunk_files({}, {}, {.hash = other, .hash_cache = options.hash_cache}));
}

}  // namespace
}  // namespace chunker
