#include "chunker/dictionary.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "codec/dictionary_samples.hpp"

namespace chunker {
namespace {

using test::small_file;

static_assert(threads_of<EncoderDictionary> == Threads::shared);

constexpr DictionaryId kId{4711};

class Dictionaries : public testing::Test {
 protected:
  ByteBuffer compressed(const EncoderDictionary& encoder, std::string_view content) {
    ByteBuffer frame;
    EXPECT_TRUE(encoder.compress(bytes_of(content), scratch_, frame));
    return frame;
  }
  Result<ByteBuffer> decoded(const DecoderDictionary& decoder, Bytes frame,
                             std::uint64_t bytes_max = kDecompressedBytesMax) {
    ByteBuffer content;
    const auto done = decoder.decompress(frame, bytes_max, scratch_, content);
    if (!done) return std::unexpected(done.error());
    return content;
  }

  const ByteBuffer bytes_ = test::trained_dictionary(kId);
  const EncoderDictionary encoder_ = *EncoderDictionary::make(bytes_);
  const DecoderDictionary decoder_ = *DecoderDictionary::make(bytes_);
  CompressionScratch scratch_;
};

TEST_F(Dictionaries, R4_6_AFrameNamesTheDictionaryItNeeds) {
  EXPECT_EQ(dictionary_id(bytes_).value(), kId);
  EXPECT_EQ(encoder_.id(), kId);
  EXPECT_EQ(decoder_.id(), kId);
  EXPECT_EQ(dictionary_id_of_frame(compressed(encoder_, small_file(9))), kId);
  ByteBuffer plain;
  ASSERT_TRUE(
      CodecRegistry::builtin()->by_id(CodecId::zstd)->compress(bytes_of("plain"), scratch_, plain));
  EXPECT_EQ(dictionary_id_of_frame(plain), DictionaryId::none);
  EXPECT_EQ(dictionary_id_of_frame(bytes_of("no frame at all")), DictionaryId::none);
}

TEST_F(Dictionaries, SmallContentsTakeLessThanHalf) {
  const auto zstd = *CodecRegistry::builtin()->by_id(CodecId::zstd);
  std::size_t with = 0, without = 0;
  for (unsigned i = 1000; i < 1050; ++i) {
    const ByteBuffer frame = compressed(encoder_, small_file(i));
    EXPECT_EQ(text_of(decoded(decoder_, frame).value()), small_file(i));
    ByteBuffer plain;
    ASSERT_TRUE(zstd.compress(bytes_of(small_file(i)), scratch_, plain));
    with += frame.size();
    without += plain.size();
  }
  EXPECT_LT(with * 2, without);
}

TEST_F(Dictionaries, RoundTripsEverySizeAndPlainFramesToo) {
  const std::string content(300'000, 'x');
  for (const std::size_t size : {0U, 1U, 100U, 300'000U}) {
    const auto piece = std::string_view(content).substr(0, size);
    EXPECT_EQ(text_of(decoded(decoder_, compressed(encoder_, piece)).value()), piece);
  }
  ByteBuffer plain;
  ASSERT_TRUE(
      CodecRegistry::builtin()->by_id(CodecId::zstd)->compress(bytes_of("plain"), scratch_, plain));
  EXPECT_EQ(text_of(decoded(decoder_, plain).value()), "plain");
}

TEST_F(Dictionaries, AContextIsFreeOfTheDictionaryAfterwards) {
  const auto zstd = *CodecRegistry::builtin()->by_id(CodecId::zstd);
  ByteBuffer before, after;
  ASSERT_TRUE(zstd.compress(bytes_of(small_file(1)), scratch_, before));
  std::ignore = compressed(encoder_, small_file(2));
  ASSERT_TRUE(zstd.compress(bytes_of(small_file(1)), scratch_, after));
  EXPECT_TRUE(std::ranges::equal(before.view(), after.view()));
}

TEST_F(Dictionaries, R4_6_AnotherDictionaryIsRefusedByName) {
  const ByteBuffer other = test::trained_dictionary(DictionaryId{815});
  const auto frame = compressed(*EncoderDictionary::make(other), small_file(1));
  const auto refused = decoded(decoder_, frame);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::dictionary_unavailable);
  EXPECT_EQ(refused.error().context, "dictionary 815");
}

TEST_F(Dictionaries, NFR3_2_HostileFramesAreErrors) {
  const std::string content = small_file(3);
  const ByteBuffer frame = compressed(encoder_, content);
  EXPECT_EQ(decoded(decoder_, frame, content.size() - 1).error().code,
            ErrorCode::decompressed_too_large);
  EXPECT_TRUE(decoded(decoder_, frame, content.size()));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decoded(decoder_, frame.view().first(size))) << size;
  }
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    ByteBuffer flipped(frame.view());
    flipped.data()[bit / 8] ^= std::byte(1U << bit % 8);
    ByteBuffer output(bytes_of("kept"));
    if (!decoder_.decompress(flipped, 1 << 20, scratch_, output)) {
      EXPECT_EQ(text_of(output), "kept");
    }
  }
}

TEST_F(Dictionaries, NFR3_2_HostileDictionariesAreRefusedOrHarmless) {
  const ByteBuffer frame = compressed(encoder_, small_file(3));
  for (const Bytes bytes : {Bytes(), bytes_of("no dictionary"), bytes_.view().first(8)}) {
    EXPECT_EQ(EncoderDictionary::make(bytes).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(DecoderDictionary::make(bytes).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(dictionary_id(ByteBuffer(kDictionaryBytesMax + 1)));
  for (std::size_t at = 0; at < 300; ++at) {
    ByteBuffer changed(bytes_.view());
    changed.data()[at] ^= std::byte{0x55};
    if (const auto decoder = DecoderDictionary::make(changed)) {
      std::ignore = decoded(*decoder, frame);
    }
    if (const auto encoder = EncoderDictionary::make(changed)) {
      ByteBuffer output;
      std::ignore = encoder->compress(bytes_of(small_file(3)), scratch_, output);
    }
  }
}

TEST_F(Dictionaries, WhatIsTooLargeIsRefused) {
  const std::vector<std::byte> large(kDictionaryContentBytesMax + 1);
  ByteBuffer output;
  EXPECT_EQ(encoder_.compress(large, scratch_, output).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(EncoderDictionary::make(bytes_, 23).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(train_dictionary(test::small_files(10), kDictionaryBytesMax + 1).error().code,
            ErrorCode::invalid_argument);
}

TEST(DictionaryTraining, IsTheSameForTheSameSamples) {
  const auto first = train_dictionary(test::small_files(300), 2048);
  const auto second = train_dictionary(test::small_files(300), 2048);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_TRUE(std::ranges::equal(first->view(), second->view()));
  EXPECT_NE(dictionary_id(*first).value(), DictionaryId::none);
}

TEST(DictionaryTraining, SaysWhichSamplesMakeNone) {
  EXPECT_EQ(train_dictionary({}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(train_dictionary(test::small_files(1), 100).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(train_dictionary(test::small_files(300), 0).error().code, ErrorCode::invalid_argument);
}

TEST(DictionaryTraining, SamplesAreBounded) {
  DictionarySamples samples;
  const std::vector<std::byte> sample(DictionarySamples::kBytesMax / 2 + 1);
  EXPECT_TRUE(samples.add(sample));
  EXPECT_FALSE(samples.add(sample));
  EXPECT_EQ(samples.bytes().size(), sample.size());
  EXPECT_EQ(samples.sizes().size(), 1U);
}

TEST_F(Dictionaries, R7_2_OneServesManyThreads) {
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      CompressionScratch scratch;
      for (unsigned i = 0; i < 50; ++i) {
        const std::string content = small_file(thread * 100 + i);
        ByteBuffer frame, back;
        ASSERT_TRUE(encoder_.compress(bytes_of(content), scratch, frame));
        ASSERT_TRUE(decoder_.decompress(frame, content.size(), scratch, back));
        EXPECT_EQ(text_of(back), content);
      }
    });
  }
}

}  // namespace
}  // namespace chunker
