#include "chunker/dictionary_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <thread>

#include "codec/dictionary_samples.hpp"

namespace chunker {
namespace {

using test::small_file;

static_assert(threads_of<DictionaryCache> == Threads::shared);

constexpr DictionaryId numbered(unsigned number) { return DictionaryId{1000 + number}; }

/// The same dictionary under any number.
ByteBuffer dictionary(DictionaryId id) {
  static const ByteBuffer trained = test::trained_dictionary(DictionaryId{1});
  ByteBuffer renamed(trained.view());
  const auto number = std::to_underlying(id);
  for (unsigned i = 0; i < 4; ++i) renamed.data()[4 + i] = std::byte(number >> (8 * i));
  return renamed;
}

TEST(DictionaryCache, R4_1_KeepsEncoderAndDecoderByNumber) {
  DictionaryCache cache;
  const auto added = cache.add(dictionary(numbered(1)));
  ASSERT_TRUE(added);
  const auto found = cache.find(numbered(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, *added);
  EXPECT_EQ((*found)->id(), numbered(1));
  EXPECT_EQ((*found)->encoder.id(), numbered(1));
  EXPECT_EQ((*found)->decoder.id(), numbered(1));
  EXPECT_EQ(cache.stats().dictionaries, 1U);
  EXPECT_EQ(cache.stats().memory_bytes, (*found)->memory_bytes());
}

TEST(DictionaryCache, R4_2_AsksTheCacheBeforeItLoads) {
  int loads = 0;
  DictionaryCache cache({.load = [&](DictionaryId id) -> Result<ByteBuffer> {
    ++loads;
    return dictionary(id);
  }});
  CompressionScratch scratch;
  for (unsigned i = 0; i < 10; ++i) {
    ByteBuffer frame, back;
    ASSERT_TRUE(cache.compress(numbered(1), bytes_of(small_file(i)), scratch, frame));
    EXPECT_EQ(dictionary_id_of_frame(frame), numbered(1));
    ASSERT_TRUE(cache.decompress(frame, 1 << 20, scratch, back));
    EXPECT_EQ(text_of(back), small_file(i));
  }
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(cache.stats().misses, 1U);
  EXPECT_EQ(cache.stats().hits, 19U);
}

TEST(DictionaryCache, R4_3_EvictsTheLeastRecentlyUsed) {
  DictionaryCache cache;
  for (unsigned i = 0; i < 16; ++i) ASSERT_TRUE(cache.add(dictionary(numbered(i))));
  const auto oldest = cache.cached(numbered(0));
  ASSERT_TRUE(oldest);
  const std::size_t full_bytes = cache.stats().memory_bytes;
  ASSERT_TRUE(cache.add(dictionary(numbered(16))));
  EXPECT_EQ(cache.stats().dictionaries, 16U);
  EXPECT_EQ(cache.stats().evictions, 1U);
  EXPECT_EQ(cache.stats().memory_bytes, full_bytes);
  EXPECT_TRUE(cache.cached(numbered(0)));
  EXPECT_FALSE(cache.cached(numbered(1)));
  EXPECT_TRUE(cache.cached(numbered(2)));
}

TEST(DictionaryCache, R4_3_WhatIsEvictedLivesOnForThoseWhoUseIt) {
  DictionaryCache cache({.max_dictionaries = 0});
  const auto added = cache.add(dictionary(numbered(1)));
  ASSERT_TRUE(added);
  EXPECT_EQ(cache.stats().dictionaries, 0U);
  EXPECT_EQ(cache.stats().memory_bytes, 0U);
  CompressionScratch scratch;
  ByteBuffer frame, back;
  ASSERT_TRUE((*added)->encoder.compress(bytes_of("content"), scratch, frame));
  ASSERT_TRUE((*added)->decoder.decompress(frame, 7, scratch, back));
}

TEST(DictionaryCache, R4_4_OneLoadMakesBothForms) {
  int loads = 0;
  DictionaryCache cache({.level = 19, .load = [&](DictionaryId id) -> Result<ByteBuffer> {
                           ++loads;
                           return dictionary(id);
                         }});
  CompressionScratch scratch;
  ByteBuffer frame, back;
  ASSERT_TRUE((*cache.find(numbered(1)))->encoder.compress(bytes_of("abc"), scratch, frame));
  ASSERT_TRUE((*cache.find(numbered(1)))->decoder.decompress(frame, 3, scratch, back));
  EXPECT_EQ(loads, 1);
  EXPECT_EQ((*cache.find(numbered(1)))->encoder.level(), 19);
  // And what is added again is not parsed again.
  EXPECT_EQ(cache.add(dictionary(numbered(1))).value(), cache.cached(numbered(1)));
}

TEST(DictionaryCache, R4_6_AFrameIsDecodedByTheDictionaryItNames) {
  DictionaryCache cache;
  CompressionScratch scratch;
  std::map<DictionaryId, ByteBuffer> frames;
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_TRUE(cache.add(dictionary(numbered(i))));
    ASSERT_TRUE(cache.compress(numbered(i), bytes_of(small_file(i)), scratch, frames[numbered(i)]));
  }
  for (unsigned i = 0; i < 3; ++i) {
    ByteBuffer back;
    ASSERT_TRUE(cache.decompress(frames[numbered(i)], 1 << 20, scratch, back));
    EXPECT_EQ(text_of(back), small_file(i));
  }
  ByteBuffer plain, back;
  ASSERT_TRUE(
      CodecRegistry::builtin()->by_id(CodecId::zstd)->compress(bytes_of("plain"), scratch, plain));
  ASSERT_TRUE(cache.decompress(plain, 5, scratch, back));
  EXPECT_EQ(text_of(back), "plain");
}

TEST(DictionaryCache, R4_6_SaysWhichDictionaryIsNotThere) {
  DictionaryCache with;
  ASSERT_TRUE(with.add(dictionary(numbered(7))));
  CompressionScratch scratch;
  ByteBuffer frame, output;
  ASSERT_TRUE(with.compress(numbered(7), bytes_of("abc"), scratch, frame));
  DictionaryCache without;
  const auto refused = without.decompress(frame, 1 << 20, scratch, output);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::dictionary_unavailable);
  EXPECT_EQ(refused.error().context, "dictionary 1007");
  EXPECT_EQ(without.compress(DictionaryId::none, bytes_of("abc"), scratch, output).error().code,
            ErrorCode::dictionary_unavailable);
}

TEST(DictionaryCache, RefusesTwoOfOneNumber) {
  DictionaryCache cache;
  ASSERT_TRUE(cache.add(dictionary(numbered(1))));
  const auto other = train_dictionary(test::small_files(200), 1024, numbered(1));
  ASSERT_TRUE(other);
  EXPECT_EQ(cache.add(*other).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(cache.add(bytes_of("none at all")).error().code, ErrorCode::invalid_argument);
}

TEST(DictionaryCache, ALoadThatFailsIsTriedAgain) {
  int loads = 0;
  DictionaryCache cache({.load = [&](DictionaryId id) -> Result<ByteBuffer> {
    switch (++loads) {
      case 1:
        return std::unexpected(Error{ErrorCode::io_unavailable, "the server is away"});
      case 2:
        throw std::bad_alloc();
      case 3:
        return dictionary(numbered(99));
      default:
        return dictionary(id);
    }
  }});
  EXPECT_EQ(cache.find(numbered(1)).error().code, ErrorCode::io_unavailable);
  EXPECT_EQ(cache.find(numbered(1)).error().code, ErrorCode::memory_limit_exceeded);
  EXPECT_EQ(cache.find(numbered(1)).error().code, ErrorCode::dictionary_unavailable);
  EXPECT_TRUE(cache.find(numbered(1)));
}

TEST(DictionaryCache, R4_2_ThreadsThatNeedTheSameOneLoadItOnce) {
  std::atomic<int> loads = 0;
  DictionaryCache cache({.load = [&](DictionaryId id) -> Result<ByteBuffer> {
    ++loads;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return dictionary(id);
  }});
  std::latch begin(8);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        begin.arrive_and_wait();
        EXPECT_TRUE(cache.find(numbered(1)));
      });
    }
  }
  EXPECT_EQ(loads, 1);
}

TEST(DictionaryCache, R4_1_ManyThreadsUseAndEvictAtOnce) {
  DictionaryCache cache({.max_dictionaries = 3, .load = [](DictionaryId id) -> Result<ByteBuffer> {
                           return dictionary(id);
                         }});
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&cache, thread] {
        CompressionScratch scratch;
        for (unsigned i = 0; i < 100; ++i) {
          const std::string content = small_file(i);
          const DictionaryId id = numbered((thread * 31 + i * 7) % 6);
          ByteBuffer frame, back;
          ASSERT_TRUE(cache.compress(id, bytes_of(content), scratch, frame));
          ASSERT_TRUE(cache.decompress(frame, content.size(), scratch, back));
          ASSERT_EQ(text_of(back), content);
        }
      });
    }
  }
  const DictionaryCacheStats stats = cache.stats();
  EXPECT_EQ(stats.hits + stats.misses, 800U);
  EXPECT_EQ(stats.dictionaries, 3U);
  EXPECT_EQ(stats.evictions, stats.misses - 3);
}

TEST(DictionaryCache, R9_2_CountsInTheBudgetAndMakesWay) {
  const auto budget = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.soft_limit_bytes = 50 << 20, .hard_limit_bytes = 60 << 20});
  {
    DictionaryCache cache({.memory_budget = budget});
    for (unsigned i = 0; i < 3; ++i) ASSERT_TRUE(cache.add(dictionary(numbered(i))));
    EXPECT_EQ(budget->usage().current_usage_bytes, cache.stats().memory_bytes);
    {
      const auto operation = budget->reserve((50 << 20) - 1);
      ASSERT_TRUE(operation);
      EXPECT_EQ(cache.stats().dictionaries, 0U);
      EXPECT_EQ(cache.stats().evictions, 3U);
      EXPECT_TRUE(cache.add(dictionary(numbered(4)))) << "usable though there is no room for it";
      EXPECT_EQ(cache.stats().dictionaries, 0U);
    }
    ASSERT_TRUE(cache.add(dictionary(numbered(5))));
    EXPECT_EQ(cache.stats().dictionaries, 1U);
  }
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
}

}  // namespace
}  // namespace chunker
