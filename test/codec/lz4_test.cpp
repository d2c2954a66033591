#include "codec/lz4.hpp"

#include <lz4frame.h>

#include "base/wire.hpp"
#include "codec/bomb.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;
using test::expect_defused;
using test::same;

constexpr std::size_t kBlockBytes = 4 << 20;

CompressionCodec lz4(int level = codec::kLz4Level) {
  return CompressionCodec::of(codec::Lz4Codec{.level = level});
}

ByteBuffer foreign_frame(Bytes input, const LZ4F_preferences_t& preferences) {
  ByteBuffer frame(LZ4F_compressFrameBound(input.size(), &preferences));
  frame.resize(
      LZ4F_compressFrame(frame.data(), frame.size(), input.data(), input.size(), &preferences));
  return frame;
}

// The blocks of `frame`, whose header has `header_bytes`, many times over behind `header`.
ByteBuffer bomb(Bytes header, int block_count) {
  const ByteBuffer frame = compressed(lz4(), test::zeros(kBlockBytes));
  constexpr std::size_t kHeaderBytes = 15, kEndMarkBytes = 4;  // With a content size.
  const Bytes block =
      frame.view().subspan(kHeaderBytes, frame.size() - kHeaderBytes - kEndMarkBytes);
  ByteBuffer all(header);
  for (int i = 0; i < block_count; ++i) all.append(block);
  base::append_le(all, std::uint32_t{0});
  return all;
}

ByteBuffer header(std::uint64_t claimed_bytes) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentSize = claimed_bytes;
  LZ4F_cctx* context = nullptr;
  LZ4F_createCompressionContext(&context, LZ4F_VERSION);
  ByteBuffer bytes(LZ4F_HEADER_SIZE_MAX);
  bytes.resize(LZ4F_compressBegin(context, bytes.data(), bytes.size(), &preferences));
  LZ4F_freeCompressionContext(context);
  return bytes;
}

TEST(Lz4Bomb, NFR3_3_FourGiBOfZerosAreStoppedAtTheLimit) {
  expect_defused(lz4(), bomb(header(0), 1024), ErrorCode::decompressed_too_large);
}

TEST(Lz4Bomb, NFR3_3_AnHonestHeaderIsEnough) {
  expect_defused(lz4(), bomb(header(4ULL << 30), 1024), ErrorCode::decompressed_too_large);
}

TEST(Lz4Bomb, NFR3_3_AHeaderThatClaimsTooLittleIsCaughtAtItsClaim) {
  expect_defused(lz4(), bomb(header(100), 1024), ErrorCode::codec_corrupt);
}

TEST(Lz4Bomb, R11_4_ClaimsAreNotBelievedBeyondWhatTheBlocksCanHold) {
  expect_defused(lz4(), bomb(header(test::kBombLimit), 1), ErrorCode::codec_corrupt);
  CompressionScratch scratch;
  ByteBuffer output;
  EXPECT_FALSE(lz4().decompress(bomb(header(1ULL << 30), 8), 1ULL << 30, scratch, output));
  EXPECT_EQ(output.capacity(), 0U);
}

TEST(Lz4, ReadsEveryKindOfFrame) {
  const ByteBuffer input = test::words(3 << 20);
  for (const auto mode : {LZ4F_blockIndependent, LZ4F_blockLinked}) {
    for (const auto checksum : {LZ4F_noContentChecksum, LZ4F_contentChecksumEnabled}) {
      for (const std::uint64_t content_size : {std::uint64_t{0}, input.size()}) {
        LZ4F_preferences_t preferences{};
        preferences.frameInfo.blockSizeID = LZ4F_max64KB;
        preferences.frameInfo.blockMode = mode;
        preferences.frameInfo.contentChecksumFlag = checksum;
        preferences.frameInfo.contentSize = content_size;
        const auto back = decompressed(lz4(), foreign_frame(input, preferences), input.size());
        ASSERT_TRUE(back) << describe(back.error());
        EXPECT_TRUE(same(*back, input));
      }
    }
  }
}

TEST(Lz4, WritesManyBlocksThatLz4ItselfReads) {
  const ByteBuffer input = test::words(3 * kBlockBytes + 1);
  const ByteBuffer frame = compressed(lz4(), input);
  LZ4F_dctx* context = nullptr;
  LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
  ByteBuffer back(input.size());
  std::size_t written = back.size(), read = frame.size();
  EXPECT_EQ(LZ4F_decompress(context, back.data(), &written, frame.data(), &read, nullptr), 0U);
  LZ4F_freeDecompressionContext(context);
  EXPECT_TRUE(same(back, input));
  EXPECT_TRUE(same(*decompressed(lz4(), frame), input));
}

TEST(Lz4, FramesWithAndWithoutASizeTakeTurns) {
  LZ4F_preferences_t preferences{};
  const ByteBuffer input = test::words(100'000);
  const ByteBuffer sized = compressed(lz4(), input), unsized = foreign_frame(input, preferences);
  CompressionScratch scratch;
  for (int round = 0; round < 2; ++round) {
    ByteBuffer back;
    ASSERT_TRUE(lz4().decompress(sized, input.size(), scratch, back));
    ASSERT_TRUE(lz4().decompress(unsized, input.size(), scratch, back));
    EXPECT_FALSE(lz4().decompress(sized.view().first(50), input.size(), scratch, back));
  }
}

// A block larger than the frame's header allows is refused although it would fit.
TEST(Lz4, NFR3_2_RefusesBlocksBeyondTheirSizeClass) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentSize = 256 << 10;
  const ByteBuffer honest = foreign_frame(test::zeros(256 << 10), preferences);
  constexpr std::size_t kHeaderBytes = 15;
  const ByteBuffer big = compressed(lz4(), test::zeros(256 << 10));
  ByteBuffer frame(honest.view().first(kHeaderBytes));
  frame.append(big.view().subspan(kHeaderBytes));
  const auto refused = decompressed(lz4(), frame);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt);
  EXPECT_EQ(refused.error().offset_bytes, kHeaderBytes);
}

TEST(CompressionStrategy, R15_1_FastestIsLz4) {
  const ByteBuffer input = test::words(200'000);
  const auto codec = CodecRegistry::builtin()->for_strategy(CompressionStrategy::fastest);
  EXPECT_EQ(codec->id(), CodecId::lz4);
  EXPECT_TRUE(same(compressed(*codec, input), compressed(lz4(0), input)));
}

TEST(Lz4, HigherLevelsAreSmaller) {
  const ByteBuffer input = test::words(300'000);
  EXPECT_LT(compressed(lz4(9), input).size(), compressed(lz4(0), input).size());
}

}  // namespace
}  // namespace chunker
