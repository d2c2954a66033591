#include "chunker/batch_compression.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "chunker/log.hpp"
#include "codec/dictionary_samples.hpp"
#include "codec/toy_codec.hpp"
#include "pipeline/frame_compressor.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;
using test::random_text;

static_assert(threads_of<BatchCompressor> == Threads::shared);

/// Who called it, and with which scratch; a chunk that begins with '!' is refused.
struct Calls {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<const CompressionScratch*> scratches;
  std::vector<std::size_t> rooms;
  bool wait_for_second =
      false;  ///< Nobody returns before a second thread has come, or ten seconds are over.
  std::condition_variable came;
};

struct WatchedCodec : test::ToyCodec {
  Calls* calls = nullptr;

  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const {
    {
      std::unique_lock lock(calls->mutex);
      calls->threads.insert(std::this_thread::get_id());
      calls->scratches.insert(&scratch);
      calls->rooms.push_back(output.capacity());
      calls->came.notify_all();
      const auto two = [this] { return !calls->wait_for_second || calls->threads.size() > 1; };
      calls->came.wait_for(lock, std::chrono::seconds(10), two);
    }
    if (!input.empty() && input[0] == std::byte{'!'}) {
      return base::fail(ErrorCode::codec_failed, "refused");
    }
    if (!input.empty() && input[0] == std::byte{'?'}) throw std::bad_alloc();
    // Long enough that every worker gets its share.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return ToyCodec::compress(input, scratch, output);
  }
};

class BatchCompression : public testing::Test {
 protected:
  std::span<const Bytes> chunks_of(std::vector<std::string> contents) {
    contents_ = std::move(contents);
    chunks_.clear();
    for (const std::string& content : contents_) chunks_.push_back(bytes_of(content));
    return chunks_;
  }

  std::span<const Bytes> runs(std::size_t count) {
    std::vector<std::string> contents;
    for (std::size_t i = 0; i < count; ++i) contents.emplace_back(1000 + i, char('a' + i % 20));
    return chunks_of(std::move(contents));
  }

  BatchCompressionOptions watched(unsigned threads = 4) {
    WatchedCodec codec;
    codec.calls = &calls_;
    return {.codec = CompressionCodec::of(codec), .threads = threads};
  }

  /// Takes every result and decodes it: contents, or the error.
  std::vector<Result<std::string>> all_of(Result<CompressionStream> stream,
                                          const CodecRegistry& codecs) {
    EXPECT_OK(stream);
    std::vector<Result<std::string>> all;
    CompressionScratch scratch;
    while (auto result = stream->next()) {
      if (!*result) {
        all.emplace_back(std::unexpected(result->error()));
        continue;
      }
      ByteBuffer content;
      const auto decoded = decompress_chunk(**result, codecs, dictionaries_, scratch, content);
      EXPECT_OK(decoded);
      all.emplace_back(std::string(text_of(content)));
      taken_.push_back(std::move(**result));
    }
    EXPECT_FALSE(stream->next());
    return all;
  }
  std::vector<Result<std::string>> all_of(Result<CompressionStream> stream) {
    return all_of(std::move(stream), *CodecRegistry::builtin());
  }
  void expect_all_back(Result<CompressionStream> stream) {
    const auto all = all_of(std::move(stream));
    ASSERT_EQ(all.size(), contents_.size());
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].value(), contents_[i]) << i;
  }

  std::vector<std::string> contents_;
  std::vector<Bytes> chunks_;
  std::vector<CompressedChunk> taken_;
  DictionaryCache dictionaries_;
  Calls calls_;
};

CodecRegistry with_toy() {
  CodecRegistry registry = *CodecRegistry::builtin();
  EXPECT_OK(registry.add(CompressionCodec::of(test::ToyCodec{})));
  return registry;
}

TEST_F(BatchCompression, R7_1_GivesEveryChunkBackInOrderInEveryStrategy) {
  std::vector<std::string> contents = {"", "x", random_bytes(1, 100'000)};
  for (unsigned i = 0; i < 30; ++i) contents.push_back(random_text(i, 1 + i * 3000));
  chunks_of(contents);
  using enum CompressionStrategy;
  for (const CompressionStrategy strategy : {fastest, balanced, smallest, adaptive, automatic}) {
    for (const unsigned threads : {1U, 4U}) {
      expect_all_back(batch_compress(chunks_, strategy, {.threads = threads, .results_max = 3}));
    }
  }
}

TEST_F(BatchCompression, R7_1_RunsSideBySide) {
  calls_.wait_for_second = true;
  const auto all = all_of(batch_compress(runs(40), {}, watched()), with_toy());
  EXPECT_EQ(all.size(), 40U);
  EXPECT_GT(calls_.threads.size(), 1U);
  EXPECT_FALSE(calls_.threads.contains(std::this_thread::get_id()));
}

TEST_F(BatchCompression, R7_2_OneDictionaryServesAllThreads) {
  int loads = 0;
  DictionaryCache cache({.load = [&](DictionaryId id) -> Result<ByteBuffer> {
    ++loads;
    return test::trained_dictionary(id);
  }});
  constexpr DictionaryId kId{4711};
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 60; ++i) contents.push_back(test::small_file(i + 1000));
  contents.push_back(random_text(1, kDictionaryPaysBytesMax + 1));
  chunks_of(contents);
  std::size_t bytes[2] = {};
  for (const bool with : {false, true}) {
    BatchCompressionOptions options{.threads = 4};
    if (with) options.dictionary = *cache.find(kId);
    auto stream = batch_compress(chunks_, CompressionStrategy::balanced, options);
    ASSERT_OK(stream);
    CompressionScratch scratch;
    for (const std::string& content : contents) {
      const auto result = stream->next();
      ASSERT_TRUE(result && *result);
      bytes[with] += (*result)->payload.size();
      EXPECT_EQ((*result)->dictionary,
                with && content.size() <= kDictionaryPaysBytesMax ? kId : DictionaryId::none);
      ByteBuffer back;
      ASSERT_OK(decompress_chunk(**result, *CodecRegistry::builtin(), cache, scratch, back));
      EXPECT_EQ(text_of(back), content);
    }
  }
  EXPECT_EQ(loads, 1);
  EXPECT_LT(bytes[true], bytes[false]);
}

TEST_F(BatchCompression, R4_6_AChunkWithoutItsDictionaryIsAClearError) {
  constexpr DictionaryId kId{4711};
  const auto dictionary = dictionaries_.add(test::trained_dictionary(kId));
  ASSERT_OK(dictionary);
  chunks_of({test::small_file(1)});
  expect_all_back(
      batch_compress(chunks_, CompressionStrategy::smallest, {.dictionary = *dictionary}));
  ASSERT_EQ(taken_.size(), 1U);
  EXPECT_EQ(taken_[0].dictionary, kId);
  EXPECT_EQ(dictionary_id_of_frame(taken_[0].payload), kId);
  DictionaryCache empty;
  CompressionScratch scratch;
  ByteBuffer back;
  EXPECT_EQ(
      decompress_chunk(taken_[0], *CodecRegistry::builtin(), empty, scratch, back).error().code,
      ErrorCode::dictionary_unavailable);
}

TEST_F(BatchCompression, R7_2_ADictionaryNeedsZstd) {
  const auto dictionary = dictionaries_.add(test::trained_dictionary(DictionaryId{1}));
  ASSERT_OK(dictionary);
  EXPECT_EQ(batch_compress(runs(1), CompressionStrategy::fastest, {.dictionary = *dictionary})
                .error()
                .code,
            ErrorCode::invalid_argument);
}

TEST_F(BatchCompression, R7_3_KeepsOneScratchPerThread) {
  const BatchCompressor compressor;
  for (int batch = 0; batch < 5; ++batch) {
    const auto all = all_of(compressor.compress(runs(40), {}, watched(3)), with_toy());
    EXPECT_EQ(all.size(), 40U);
  }
  EXPECT_GE(calls_.scratches.size(), 1U);
  EXPECT_LE(calls_.scratches.size(), 3U);
}

TEST_F(BatchCompression, R7_4_OutputsGetTheRoomThatHistoryPromises) {
  const BatchCompressor compressor;
  all_of(compressor.compress(runs(8), {}, watched(1)), with_toy());
  EXPECT_EQ(calls_.rooms.front(), 0U);
  // A run of a thousand takes 12 bytes: what is promised is little more than that.
  EXPECT_GT(calls_.rooms.back(), 12U);
  EXPECT_LT(calls_.rooms.back(), 200U);
}

TEST_F(BatchCompression, R7_4_PayloadsHoldLittleMoreMemoryThanBytes) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 200; ++i) contents.push_back(random_text(i, 30'000 + i));
  chunks_of(contents);
  const BatchCompressor compressor;
  expect_all_back(compressor.compress(chunks_, CompressionStrategy::balanced, {.threads = 2}));
  std::size_t size = 0, capacity = 0;
  for (const CompressedChunk& chunk : taken_) {
    size += chunk.payload.size();
    capacity += chunk.payload.capacity();
  }
  EXPECT_LT(capacity, size * 5 / 4);  // Without a history each has room for 30'000 bytes and more.
  const auto stats = compressor.stats();
  ASSERT_EQ(stats.size(), 1U);
  EXPECT_EQ(stats[0].payload_bytes, size);
  EXPECT_LT(stats[0].outputs_regrown, 10U);
}

TEST_F(BatchCompression, R7_4_AnOutputBeyondWhatWasPromisedIsStillRight) {
  std::vector<std::string> contents(20, std::string(30'000, 'x'));
  for (unsigned i = 0; i < 5; ++i) contents.push_back(random_text(i, 30'000));
  chunks_of(contents);
  const BatchCompressor compressor;
  expect_all_back(compressor.compress(chunks_, CompressionStrategy::balanced, {.threads = 1}));
  EXPECT_GT(compressor.stats()[0].outputs_regrown, 0U);
}

TEST_F(BatchCompression, R7_5_AFailedChunkIsAnErrorAmongResults) {
  for (const std::size_t count : {6U, 40U}) {
    std::vector<std::string> contents(count, std::string(100, 'a'));
    contents[1] = "!refused";
    contents[4] = "?no memory";
    chunks_of(contents);
    const auto all = all_of(batch_compress(chunks_, {}, watched()), with_toy());
    ASSERT_EQ(all.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      if (i == 1) {
        EXPECT_EQ(all[i].error().code, ErrorCode::codec_failed);
      } else if (i == 4) {
        EXPECT_EQ(all[i].error().code, ErrorCode::memory_limit_exceeded);
      } else {
        EXPECT_EQ(all[i].value(), contents[i]);
      }
    }
  }
}

TEST_F(BatchCompression, R15_5_WhatIsCompressedAlreadyIsLeftAsItIsWithoutTrying) {
  const BatchCompressor compressor;
  chunks_of({random_bytes(1, 200'000)});
  expect_all_back(compressor.compress(chunks_, CompressionStrategy::balanced));
  EXPECT_EQ(taken_[0].codec, CodecId::none);
  EXPECT_TRUE(compressor.stats().empty());
  // Whoever names a codec may know better.
  all_of(compressor.compress(chunks_, CompressionStrategy::balanced, watched()), with_toy());
  EXPECT_EQ(calls_.rooms.size(), 1U);
}

TEST_F(BatchCompression, R15_6_WhatGainsTooLittleIsKeptAsItIs) {
  chunks_of({random_text(1, 50'000)});
  for (const double threshold : {0.0, 1.0}) {
    taken_.clear();
    expect_all_back(
        batch_compress(chunks_, CompressionStrategy::balanced, {.min_ratio_threshold = threshold}));
    EXPECT_EQ(taken_[0].codec, threshold > 0 ? CodecId::zstd : CodecId::none);
  }
  BatchCompressionOptions with_codec = watched();
  for (const double threshold : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    with_codec.min_ratio_threshold = threshold;
    for (const auto& options :
         {BatchCompressionOptions{.min_ratio_threshold = threshold}, with_codec}) {
      const auto refused = batch_compress(chunks_, CompressionStrategy::balanced, options);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    }
  }
}

TEST_F(BatchCompression, R15_7_WhatTakesTooLongIsCompressedByAFasterLevel) {
  using enum CompressionStrategy;
  chunks_of({random_text(1, 2 << 20)});
  expect_all_back(batch_compress(chunks_, balanced));
  // Level 19 takes a second or more.
  expect_all_back(batch_compress(chunks_, smallest, {.max_compression_time_ms = 150}));
  ASSERT_EQ(taken_.size(), 2U);
  EXPECT_EQ(taken_[1].codec, CodecId::zstd);
  EXPECT_GE(taken_[1].payload.size(), taken_[0].payload.size()) << "level 3, or an even faster one";
}

/// Computes for some time, and does not ask whether to stop.
struct BusyCodec : test::ToyCodec {
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const {
    const auto end = pipeline::CompressionPlan::thread_time() + std::chrono::milliseconds(20);
    while (pipeline::CompressionPlan::thread_time() < end) continue;
    return ToyCodec::compress(input, scratch, output);
  }
};

TEST_F(BatchCompression, R15_7_WithACodecOfItsOwnThereIsNoFasterOne) {
  chunks_of({std::string(100'000, 'a')});
  const auto busy = CompressionCodec::of(BusyCodec{});
  for (const std::uint32_t limit_ms : {0U, 5U}) {
    taken_.clear();
    const auto all =
        all_of(batch_compress(chunks_, {}, {.codec = busy, .max_compression_time_ms = limit_ms}),
               with_toy());
    EXPECT_EQ(all[0].value(), contents_[0]);
    EXPECT_EQ(taken_[0].codec, limit_ms == 0 ? busy.id() : CodecId::none);
  }
}

TEST_F(BatchCompression, R7_6_SmallBatchesRunOnTheCallersThread) {
  const std::set<std::thread::id> here{std::this_thread::get_id()};
  EXPECT_EQ(all_of(batch_compress(runs(8), {}, watched()), with_toy()).size(), 8U);
  EXPECT_EQ(calls_.threads, here);
  EXPECT_EQ(all_of(batch_compress(runs(9), {}, watched()), with_toy()).size(), 9U);
  EXPECT_NE(calls_.threads, here);
  calls_.threads.clear();
  BatchCompressionOptions options = watched();
  options.parallel_threshold = 100;
  EXPECT_EQ(all_of(batch_compress(runs(100), {}, options), with_toy()).size(), 100U);
  EXPECT_EQ(calls_.threads, here);
}

TEST_F(BatchCompression, CanBeGivenUpAndStopped) {
  for (int taken = 0; taken < 3; ++taken) {
    BatchCompressionOptions options = watched(2);
    options.results_max = 1;
    auto stream = batch_compress(runs(100), {}, options);
    ASSERT_OK(stream);
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(stream->next());
  }
  std::stop_source stop;
  stop.request_stop();
  for (const std::size_t count : {3U, 30U}) {
    auto stream = batch_compress(runs(count), {}, {.stop = stop.get_token()});
    ASSERT_OK(stream);
    const auto first = stream->next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->error().code, ErrorCode::cancelled);
  }
}

TEST_F(BatchCompression, AnEmptyBatchEndsAtOnce) {
  auto stream = batch_compress({}, {});
  ASSERT_OK(stream);
  EXPECT_FALSE(stream->next());
}

TEST_F(BatchCompression, R21_5_ANewCodecIsInHistoryAndStatisticsByItself) {
  const BatchCompressor compressor;
  all_of(compressor.compress(runs(5), {}, watched()), with_toy());
  expect_all_back(compressor.compress(chunks_, CompressionStrategy::balanced));
  const auto stats = compressor.stats();
  ASSERT_EQ(stats.size(), 2U);
  EXPECT_EQ(stats[0].algorithm.name, "toy");
  EXPECT_EQ(stats[0].chunks, 5U);
  EXPECT_EQ(stats[0].algorithm.label(), "codec=\"toy\"");
  EXPECT_EQ(stats[1].algorithm.name, "zstd");
}

struct OldCodec : test::ToyCodec {
  static constexpr std::string_view deprecated = "use zstd instead";
};

TEST_F(BatchCompression, R21_6_TheLogTellsOnceWhoCompressesWithAnOldCodec) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  OldCodec old;
  old.label = "old-batch";
  const CompressionCodec codec = CompressionCodec::of(old);
#pragma GCC diagnostic pop
  std::vector<std::string> messages;
  set_log_sink([&](LogLevel, std::string_view message) { messages.emplace_back(message); });
  for (int i = 0; i < 3; ++i) all_of(batch_compress(runs(2), {}, {.codec = codec}), with_toy());
  set_log_sink({});
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0], "codec:old-batch is deprecated: use zstd instead");
}

}  // namespace
}  // namespace chunker
