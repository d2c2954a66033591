// What every codec owes (include/chunker/codec.hpp), asked of all that are built in and of one that a user
// could have written.
#include <gmock/gmock.h>

#include "codec/samples.hpp"
#include "codec/toy_codec.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;
using test::same;

std::vector<CompressionCodec> all_codecs() {
  const auto builtin = CodecRegistry::builtin()->codecs();
  std::vector<CompressionCodec> all(builtin.begin(), builtin.end());
  all.push_back(CompressionCodec::of(test::ToyCodec{}));
  return all;
}

bool has_frames(const CompressionCodec& codec) { return codec.id() != CodecId::none; }

std::vector<CompressionCodec> framed_codecs() {
  std::vector<CompressionCodec> framed = all_codecs();
  std::erase_if(framed, [](const CompressionCodec& codec) { return !has_frames(codec); });
  return framed;
}

std::string name_of(const testing::TestParamInfo<CompressionCodec>& instance) {
  return std::string(instance.param.name());
}

class CodecContract : public testing::TestWithParam<CompressionCodec> {};
INSTANTIATE_TEST_SUITE_P(All, CodecContract, testing::ValuesIn(all_codecs()), name_of);

// What only a codec can promise whose output has a beginning and an end of its own.
class FramedCodecContract : public CodecContract {};
INSTANTIATE_TEST_SUITE_P(All, FramedCodecContract, testing::ValuesIn(framed_codecs()), name_of);

TEST_P(CodecContract, R22_1_RoundTripsEverySizeAndKindOfBytes) {
  for (const std::size_t size : {0U, 1U, 2U, 1021U, 4096U, 65'537U, 2U << 20}) {
    for (const ByteBuffer& input :
         {test::zeros(size), test::random_bytes(size), test::words(size)}) {
      const ByteBuffer frame = compressed(GetParam(), input);
      const auto back = decompressed(GetParam(), frame, size);
      ASSERT_TRUE(back) << size << ": " << describe(back.error());
      ASSERT_TRUE(same(*back, input)) << size;
    }
  }
}

TEST_P(CodecContract, R22_1_ItsFramesBeginWithItsMagicBytes) {
  const ByteBuffer frame = compressed(GetParam(), bytes_of("x"));
  const Bytes magic = GetParam().magic_bytes();
  ASSERT_GE(frame.size(), magic.size());
  EXPECT_TRUE(same(frame.view().first(magic.size()), magic));
  EXPECT_FALSE(GetParam().name().empty());
}

TEST_P(CodecContract, AppendsBehindWhatIsThere) {
  CompressionScratch scratch;
  ByteBuffer frame(bytes_of("ab")), back(bytes_of("cd"));
  ASSERT_TRUE(GetParam().compress(bytes_of("payload"), scratch, frame));
  EXPECT_EQ(text_of(frame).substr(0, 2), "ab");
  ASSERT_TRUE(GetParam().decompress(frame.view().subspan(2), 7, scratch, back));
  EXPECT_EQ(text_of(back), "cdpayload");
}

TEST_P(CodecContract, KeepsWorkingWithOneScratchThroughErrors) {
  CompressionScratch scratch;
  for (unsigned round = 0; round < 5; ++round) {
    const ByteBuffer input = test::words(50'000 + round * 7919, round);
    ByteBuffer frame, back;
    ASSERT_TRUE(GetParam().compress(input, scratch, frame));
    ASSERT_TRUE(GetParam().decompress(frame, input.size(), scratch, back));
    ASSERT_TRUE(same(back, input));
    EXPECT_FALSE(GetParam().decompress(frame, 10, scratch, back));
    if (has_frames(GetParam())) {
      EXPECT_FALSE(
          GetParam().decompress(frame.view().first(frame.size() / 2), input.size(), scratch, back));
    }
    EXPECT_TRUE(same(back, input)) << "an error must leave the output as it was";
  }
}

TEST_P(CodecContract, R15_7_UnstoppedItWritesWhatCompressWrites) {
  CompressionScratch scratch;
  for (const std::size_t size : {0U, 1U, 131'072U, 131'073U, 700'000U}) {
    const ByteBuffer input = test::words(size);
    ByteBuffer frame(bytes_of("ab"));
    const auto done = GetParam().compress_until(input, scratch, frame, [] { return false; });
    ASSERT_TRUE(done && *done);
    EXPECT_TRUE(same(frame.view().subspan(2), compressed(GetParam(), input))) << size;
  }
}

TEST_P(CodecContract, R15_7_StoppedItLeavesNothingBehindAndWorksAgain) {
  CompressionScratch scratch;
  const ByteBuffer input = test::words(700'000);
  for (int asked_max = 0; asked_max < 3; ++asked_max) {
    ByteBuffer frame(bytes_of("ab"));
    int asked = 0;
    const auto done =
        GetParam().compress_until(input, scratch, frame, [&] { return asked++ == asked_max; });
    ASSERT_TRUE(done);
    if (!*done) {
      EXPECT_EQ(text_of(frame), "ab");
    }
    EXPECT_FALSE(asked_max == 0 && *done) << "asked before it begins";
    EXPECT_TRUE(same(*decompressed(GetParam(), compressed(GetParam(), input)), input));
  }
}

TEST(StoppableCodec, R15_7_ZstdAndXzAskBeforeEvery128KiB) {
  const ByteBuffer input = test::words(384 << 10);
  for (const CodecId id : {CodecId::zstd, CodecId::zstd_x86, CodecId::xz}) {
    const auto codec = CodecRegistry::builtin()->by_id(id);
    if (!codec) continue;
    CompressionScratch scratch;
    ByteBuffer frame;
    int asked = 0;
    ASSERT_TRUE(codec->compress_until(input, scratch, frame, [&] { return ++asked == 0; }));
    EXPECT_GE(asked, 3) << codec->name();
    // Stopped at any of these moments.
    for (int last = 1; last <= asked; ++last) {
      frame.clear();
      int count = 0;
      const auto done =
          codec->compress_until(input, scratch, frame, [&] { return ++count == last; });
      ASSERT_TRUE(done);
      EXPECT_FALSE(*done) << codec->name() << " " << last;
      EXPECT_TRUE(frame.empty());
    }
  }
}

TEST_P(CodecContract, R11_4_StopsAtTheLimitExactly) {
  for (const ByteBuffer& input : {test::zeros(300'000), test::random_bytes(300'000)}) {
    const ByteBuffer frame = compressed(GetParam(), input);
    EXPECT_TRUE(decompressed(GetParam(), frame, input.size()));
    for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{1}, input.size() - 1}) {
      const auto refused = decompressed(GetParam(), frame, limit);
      ASSERT_FALSE(refused) << limit;
      EXPECT_EQ(refused.error().code, ErrorCode::decompressed_too_large) << limit;
    }
  }
}

TEST_P(FramedCodecContract, NFR3_2_RefusesEveryTruncation) {
  const ByteBuffer frame = compressed(GetParam(), test::words(700));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const auto refused = decompressed(GetParam(), frame.view().first(size));
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt) << size;
  }
}

TEST_P(FramedCodecContract, NFR3_2_RefusesTrailingBytesAndSaysWhere) {
  const ByteBuffer frame = compressed(GetParam(), test::words(700));
  for (const std::string_view tail :
       {std::string_view("\0", 1), std::string_view("tail"), text_of(frame)}) {
    ByteBuffer longer(frame.view());
    longer.append(bytes_of(tail));
    const auto refused = decompressed(GetParam(), longer);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt);
    EXPECT_EQ(refused.error().offset_bytes, frame.size());
  }
}

TEST_P(CodecContract, NFR3_2_SurvivesEveryFlippedBit) {
  const ByteBuffer input = test::words(300);
  ByteBuffer frame = compressed(GetParam(), input);
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    const std::byte mask = std::byte{1} << (bit % 8);
    frame.data()[bit / 8] ^= mask;
    if (const auto decoded = decompressed(GetParam(), frame, 1000); decoded) {
      EXPECT_LE(decoded->size(), 1000U) << bit;
    } else {
      EXPECT_THAT(decoded.error().code,
                  testing::AnyOf(ErrorCode::codec_corrupt, ErrorCode::decompressed_too_large,
                                 ErrorCode::unsupported))
          << bit;
    }
    frame.data()[bit / 8] ^= mask;
  }
}

TEST_P(FramedCodecContract, NFR3_2_RefusesForeignBytes) {
  for (const std::size_t size : {0U, 1U, 5U, 1000U}) {
    const auto refused = decompressed(GetParam(), test::zeros(size));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt);
    EXPECT_EQ(refused.error().offset_bytes, 0U);
  }
}

}  // namespace
}  // namespace chunker
