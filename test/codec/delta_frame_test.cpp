#include "codec/delta_frame.hpp"

#include <zstd.h>

#include "codec/samples.hpp"
#include "codec/zstd.hpp"
#include "codec/zstd_frames.hpp"

namespace chunker {
namespace {

using test::random_bytes;
using test::same;

ByteBuffer delta_frame(Bytes content, Bytes base, int level = codec::kDeltaLevel) {
  CompressionScratch scratch;
  ByteBuffer frame;
  const auto compressed = codec::compress_with_base(content, base, level, scratch, frame);
  EXPECT_TRUE(compressed) << describe(compressed.error());
  return frame;
}

Result<ByteBuffer> undone(Bytes frame, Bytes base, std::size_t content_bytes) {
  CompressionScratch scratch;
  ByteBuffer output(bytes_of("kept"));
  const auto decoded = codec::decompress_with_base(frame, base, content_bytes, scratch, output);
  EXPECT_TRUE(same(output.view().first(4), bytes_of("kept")));
  EXPECT_EQ(output.size(), decoded ? 4 + content_bytes : 4);
  if (!decoded) return std::unexpected(decoded.error());
  return ByteBuffer(output.view().subspan(4));
}

ByteBuffer edited(Bytes original, std::size_t every_bytes) {
  ByteBuffer copy(original);
  for (std::size_t at = 0; at < copy.size(); at += every_bytes) copy.data()[at] ^= std::byte{1};
  return copy;
}

TEST(DeltaFrame, RoundTripsEverySizeOfContentAndBase) {
  for (const std::size_t content_bytes : {0U, 1U, 1021U, 65'537U, 2U << 20}) {
    for (const std::size_t base_bytes : {0U, 1U, 7U, 8U, 9U, 4096U, 1U << 20, 4U << 20}) {
      const ByteBuffer base = test::words(base_bytes);
      const ByteBuffer content = edited(test::words(content_bytes, 2), 1000);
      for (const int level : {1, 3, 5}) {
        const auto back = undone(delta_frame(content, base, level), base, content_bytes);
        ASSERT_TRUE(back) << describe(back.error());
        ASSERT_TRUE(same(*back, content)) << content_bytes << " against " << base_bytes;
      }
    }
  }
}

TEST(DeltaFrame, WhatTheBaseHasCostsAlmostNothing) {
  const ByteBuffer base = random_bytes(1 << 20);
  const ByteBuffer content = edited(base, 64 << 10);
  EXPECT_LT(delta_frame(content, base).size(), content.size() / 500);
}

TEST(DeltaFrame, ReachesTheWholeOfTheLargestBase) {
  const ByteBuffer base = random_bytes(codec::kDeltaBaseBytesMax);
  constexpr std::size_t kPart = 256 << 10;
  ByteBuffer content = random_bytes(codec::kDeltaContentBytesMax - 2 * kPart, 2);
  content.append(base.view().last(kPart));
  content.append(base.view().first(kPart));  // Eight MiB back from the content's end.
  const ByteBuffer frame = delta_frame(content, base);
  EXPECT_LT(frame.size(), content.size() - 2 * kPart + 8192);
  const auto back = undone(frame, base, content.size());
  ASSERT_TRUE(back);
  EXPECT_TRUE(same(*back, content));
}

TEST(DeltaFrame, AnotherBaseNeverGivesTheContent) {
  const ByteBuffer base = random_bytes(100'000);
  const ByteBuffer frame = delta_frame(edited(base, 5000), base);
  for (const ByteBuffer& other : {ByteBuffer(), random_bytes(100'000, 2), random_bytes(10, 3)}) {
    const auto back = undone(frame, other, base.size());
    EXPECT_TRUE(!back ? back.error().code == ErrorCode::codec_corrupt
                      : !same(*back, edited(base, 5000)));
  }
}

TEST(DeltaFrame, AnyOtherNumberOfBytesIsAnError) {
  const ByteBuffer base = test::words(10'000), content = test::words(20'000, 2);
  const ByteBuffer frame = delta_frame(content, base);
  for (const std::size_t claimed : {std::size_t{0}, content.size() - 1, content.size() + 1}) {
    EXPECT_EQ(undone(frame, base, claimed).error().code, ErrorCode::codec_corrupt) << claimed;
  }
}

TEST(DeltaFrame, HostileFramesAreErrorsAndAllocateNothing) {
  const ByteBuffer base = test::words(10'000);
  const ByteBuffer frame = delta_frame(test::words(20'000, 2), base);
  for (std::size_t size = 0; size < frame.size(); size += 13) {
    EXPECT_EQ(undone(frame.view().first(size), base, 20'000).error().code,
              ErrorCode::codec_corrupt);
  }
  ByteBuffer with_tail(frame.view());
  with_tail.append(bytes_of("x"));
  EXPECT_EQ(undone(with_tail, base, 20'000).error().code, ErrorCode::codec_corrupt);

  ByteBuffer few_blocks = test::zstd_header(codec::kDeltaContentBytesMax);
  test::append_zstd_run(few_blocks, 1, true);
  CompressionScratch scratch;
  ByteBuffer output;
  const auto decoded =
      codec::decompress_with_base(few_blocks, base, codec::kDeltaContentBytesMax, scratch, output);
  EXPECT_EQ(decoded.error().code, ErrorCode::codec_corrupt);
  EXPECT_EQ(output.capacity(), 0U);
}

TEST(DeltaFrame, AFrameWithoutItsSizeIsCorrupt) {
  ByteBuffer frame = test::zstd_header({});
  test::append_zstd_run(frame, 5, true);
  EXPECT_EQ(undone(frame, bytes_of("base"), 5).error().code, ErrorCode::codec_corrupt);
}

TEST(DeltaFrame, BoundsAreHeld) {
  const ByteBuffer large(codec::kDeltaBaseBytesMax + 1);
  static_assert(codec::kDeltaBaseBytesMax == codec::kDeltaContentBytesMax);
  const ByteBuffer frame = delta_frame(bytes_of("x"), {});
  CompressionScratch scratch;
  ByteBuffer output;
  EXPECT_EQ(codec::compress_with_base(large, {}, 3, scratch, output).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(codec::compress_with_base({}, large, 3, scratch, output).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(codec::decompress_with_base(frame, large, 1, scratch, output).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(codec::decompress_with_base(frame, {}, large.size(), scratch, output).error().code,
            ErrorCode::decompressed_too_large);
  EXPECT_EQ(output.capacity(), 0U);
}

TEST(DeltaFrame, KeptContextsForgetTheBase) {
  const CompressionCodec zstd = CompressionCodec::of(codec::ZstdCodec{});
  const ByteBuffer base = test::words(300'000), content = edited(base, 5000);
  const ByteBuffer plain = test::compressed(zstd, content);
  const ByteBuffer delta = delta_frame(content, base);
  CompressionScratch scratch;
  for (int round = 0; round < 2; ++round) {
    ByteBuffer frame, output;
    ASSERT_TRUE(codec::compress_with_base(content, base, codec::kDeltaLevel, scratch, frame));
    EXPECT_TRUE(same(frame, delta));
    frame.clear();
    ASSERT_TRUE(zstd.compress(content, scratch, frame));
    EXPECT_TRUE(same(frame, plain));
    ASSERT_TRUE(codec::decompress_with_base(delta, base, content.size(), scratch, output));
    EXPECT_FALSE(zstd.decompress(delta, content.size(), scratch, output));
    EXPECT_FALSE(codec::decompress_with_base(delta, {}, content.size(), scratch, output));
    ASSERT_TRUE(codec::decompress_with_base(delta, base, content.size(), scratch, output));
  }
}

}  // namespace
}  // namespace chunker
