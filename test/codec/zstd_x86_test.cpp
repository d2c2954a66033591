#include "codec/zstd_x86.hpp"

#include "codec/bomb.hpp"
#include "codec/machine_code.hpp"
#include "codec/zstd.hpp"
#include "codec/zstd_frames.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;
using test::same;

CompressionCodec zstd_x86(int level = codec::kZstdLevel) {
  return CompressionCodec::of(codec::ZstdX86Codec{.level = level});
}

CompressionCodec zstd(int level = codec::kZstdLevel) {
  return CompressionCodec::of(codec::ZstdCodec{.level = level});
}

ByteBuffer prefixed(Bytes zstd_frame) {
  ByteBuffer frame(bytes_of("\xE8"));
  frame.append(zstd_frame);
  return frame;
}

TEST(ZstdX86, MachineCodeBecomesSmallerAtEveryLevel) {
  const ByteBuffer code = test::machine_code(400'000);
  for (const int level : {-5, 3, 19}) {
    const ByteBuffer frame = compressed(zstd_x86(level), code);
    EXPECT_LT(frame.size() * 10, compressed(zstd(level), code).size() * 9) << level;
    EXPECT_TRUE(same(*decompressed(zstd_x86(), frame, code.size()), code)) << level;
  }
}

TEST(ZstdX86, IsOneByteMoreThanTheZstdFrameOfWhatIsNotCode) {
  const ByteBuffer words = test::words(50'000);
  EXPECT_TRUE(same(compressed(zstd_x86(), words), prefixed(compressed(zstd(), words))));
}

TEST(ZstdX86, R22_2_IsNotTakenForPlainZstdNorPlainZstdForIt) {
  const ByteBuffer code = test::machine_code(5000);
  const auto registry = CodecRegistry::builtin();
  EXPECT_EQ(registry->detect(compressed(zstd_x86(), code))->id(), CodecId::zstd_x86);
  EXPECT_EQ(registry->detect(compressed(zstd(), code))->id(), CodecId::zstd);
  EXPECT_EQ(decompressed(zstd_x86(), compressed(zstd(), code)).error().code,
            ErrorCode::codec_corrupt);
}

TEST(ZstdX86, OffsetsOfFaultsCountThePrefix) {
  ByteBuffer frame = compressed(zstd_x86(), test::words(1000));
  const std::size_t good_bytes = frame.size();
  frame.append(bytes_of("tail"));
  EXPECT_EQ(decompressed(zstd_x86(), frame).error().offset_bytes, good_bytes);
  const auto cut = decompressed(zstd_x86(), frame.view().first(10));
  EXPECT_EQ(cut.error().offset_bytes, 10U);
}

TEST(ZstdX86, NFR3_3_BombsAreDefusedLikeThoseOfZstd) {
  constexpr std::uint64_t kFourGiB = 4ULL << 30;
  constexpr std::uint32_t kBlocks = kFourGiB / test::kZstdBlockBytes;
  const auto too_large = ErrorCode::decompressed_too_large;
  test::expect_defused(zstd_x86(), prefixed(test::zstd_bomb({}, kBlocks)), too_large);
  test::expect_defused(zstd_x86(), prefixed(test::zstd_bomb(kFourGiB, kBlocks)), too_large);
  test::expect_defused(zstd_x86(), prefixed(test::zstd_bomb(100, kBlocks)),
                       ErrorCode::codec_corrupt);
}

TEST(ZstdX86, BuffersThatGrewForAHugeInputAreNotKept) {
  CompressionScratch scratch;
  ByteBuffer frame;
  ASSERT_TRUE(zstd_x86().compress(test::zeros(1U << 20), scratch, frame));
  EXPECT_NE(scratch.slot(CodecId::zstd_x86, true), nullptr);
  ASSERT_TRUE(zstd_x86().compress(test::zeros(5U << 20), scratch, frame));
  EXPECT_EQ(scratch.slot(CodecId::zstd_x86, true), nullptr);
}

}  // namespace
}  // namespace chunker
