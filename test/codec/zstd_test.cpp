#include "codec/zstd.hpp"

#include <zstd.h>

#include "codec/samples.hpp"
#include "codec/zstd_context.hpp"
#include "codec/zstd_frames.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;
using test::same;

CompressionCodec zstd(int level = codec::kZstdLevel) {
  return CompressionCodec::of(codec::ZstdCodec{.level = level});
}

TEST(Zstd, FramesSayTheirSizeAndCarryNoChecksum) {
  const ByteBuffer frame = compressed(zstd(), test::words(100'000));
  EXPECT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), 100'000U);
  constexpr std::size_t kDescriptorAt = 4;
  EXPECT_EQ(frame.view()[kDescriptorAt] & std::byte{1 << 2}, std::byte{0});
}

TEST(Zstd, AKeptContextForgetsTheLevelBefore) {
  const ByteBuffer input = test::words(500'000);
  const auto balanced = CompressionCodec::of(codec::ZstdCodec{.level = 3});
  const auto smallest = CompressionCodec::of(codec::ZstdCodec{.level = 19});
  CompressionScratch scratch;
  for (const auto& codec : {balanced, smallest, balanced}) {
    ByteBuffer frame;
    ASSERT_TRUE(codec.compress(input, scratch, frame));
    EXPECT_TRUE(test::same(frame, compressed(codec, input)));
  }
}

TEST(Zstd, ReadsFramesOfUnknownSizeWithChecksum) {
  const ByteBuffer input = test::words(5 << 20);
  ByteBuffer frame(ZSTD_compressBound(input.size()));
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  frame.resize(
      ZSTD_compress2(context.get(), frame.data(), frame.size(), input.data(), input.size()));
  const auto back = decompressed(zstd(), frame);
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_TRUE(same(*back, input));

  frame.data()[frame.size() - 1] ^= std::byte{1};
  EXPECT_EQ(decompressed(zstd(), frame).error().code, ErrorCode::codec_corrupt);
}

TEST(Zstd, AContextThatGrewForAWideWindowIsNotKept) {
  ByteBuffer frame = test::zstd_header({}, 16 << 3);  // 64 MiB
  test::append_zstd_run(frame, 1, true);
  CompressionScratch scratch;
  ByteBuffer output;
  ASSERT_TRUE(zstd().decompress(frame, 1, scratch, output));
  EXPECT_EQ(output.size(), 1U);
  EXPECT_EQ(scratch.slot(CodecId::zstd, false), nullptr);
}

TEST(Zstd, DecodesIntoRoomThatIsThereAlready) {
  const ByteBuffer input = test::words(512 << 10);
  const ByteBuffer frame = compressed(zstd(), input);
  CompressionScratch scratch;
  ByteBuffer output;
  output.reserve(input.size());
  const std::byte* const room = output.data();
  ASSERT_TRUE(zstd().decompress(frame, input.size(), scratch, output));
  EXPECT_EQ(output.data(), room);
  EXPECT_TRUE(same(output, input));
}

TEST(Zstd, AFrameThatNeedsADictionaryIsUnsupported) {
  ByteBuffer frame;
  base::append_le(frame, std::uint32_t{0xFD2FB528});
  base::append_le(frame, std::uint8_t{1});  // a dictionary id of one byte follows the window
  base::append_le(frame, std::uint8_t{10 << 3});
  base::append_le(frame, std::uint8_t{77});
  test::append_zstd_run(frame, 1, true);
  EXPECT_EQ(decompressed(zstd(), frame).error().code, ErrorCode::unsupported);
}

TEST(Zstd, R9_5_AContextTakesWhatTheCodecSaysAndNotMuchLess) {
  for (const int level : {-7, 1, 3, 6, 12, 19, 22}) {
    for (const std::size_t size :
         {std::size_t{10'000}, std::size_t{200'000}, std::size_t{2} << 20}) {
      const codec::ZstdCodec codec{level};
      CompressionScratch scratch;
      ByteBuffer output;
      const ByteBuffer input = test::words(size);
      ASSERT_TRUE(codec.compress_until(input, scratch, output, {}));
      const codec::ZstdTuning same{.level = level};
      const std::size_t taken = ZSTD_sizeof_CCtx(codec::zstd_compressor(scratch, same));
      EXPECT_LE(taken, codec.context_bytes(size)) << level << ", " << size;
      if (size > 1'000'000) {
        EXPECT_GE(2 * taken, codec.context_bytes(size)) << level;
      }
    }
  }
  EXPECT_GT(zstd(22).context_bytes(2 << 20), std::size_t{30} << 20);
  EXPECT_EQ(CompressionCodec::of(codec::ZstdCodec{}).context_bytes(1000),
            codec::ZstdCodec{}.context_bytes(1000));
}

TEST(Zstd, HigherLevelsAreSmaller) {
  const ByteBuffer input = test::words(300'000);
  EXPECT_LT(compressed(zstd(19), input).size(), compressed(zstd(3), input).size());
  EXPECT_LT(compressed(zstd(3), input).size(), compressed(zstd(-5), input).size());
}

}  // namespace
}  // namespace chunker
