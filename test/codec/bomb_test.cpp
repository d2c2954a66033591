// Decompression bombs that need no foreign library to make; the other codecs have theirs in their own tests.
#include "codec/bomb.hpp"

#include "codec/toy_codec.hpp"
#include "codec/zstd_frames.hpp"

namespace chunker {
namespace {

using test::decompressed;
using test::expect_defused;
using test::zstd_bomb;

constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint32_t kBlocksOfFourGiB = (4 * kGiB) / test::kZstdBlockBytes;

CompressionCodec zstd() { return *CodecRegistry::builtin()->by_id(CodecId::zstd); }

TEST(ZstdBomb, NFR3_3_FourGiBOfZerosAreStoppedAtTheLimit) {
  expect_defused(zstd(), zstd_bomb({}, kBlocksOfFourGiB), ErrorCode::decompressed_too_large);
}

TEST(ZstdBomb, NFR3_3_AnHonestHeaderIsEnough) {
  expect_defused(zstd(), zstd_bomb(4 * kGiB, kBlocksOfFourGiB), ErrorCode::decompressed_too_large);
}

TEST(ZstdBomb, NFR3_3_AHeaderThatClaimsTooLittleIsCaughtAtItsClaim) {
  expect_defused(zstd(), zstd_bomb(100, kBlocksOfFourGiB), ErrorCode::codec_corrupt);
}

// A GiB is claimed, within the limit; eight blocks hold one MiB at most.
TEST(ZstdBomb, R11_4_ClaimsAreNotBelievedBeyondWhatTheBlocksCanHold) {
  const ByteBuffer frame = zstd_bomb(kGiB, 8);
  CompressionScratch scratch;
  ByteBuffer output;
  const auto refused = zstd().decompress(frame, kDecompressedBytesMax, scratch, output);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt);
  EXPECT_EQ(output.capacity(), 0U);
}

// Enough blocks for the claim, but nearly all of them empty: no more memory than comes out.
TEST(ZstdBomb, R11_4_PossibleClaimsAreBelievedOnlyAsBytesCome) {
  constexpr std::uint32_t kBlocks = kGiB / test::kZstdBlockBytes;
  ByteBuffer frame = test::zstd_header(kGiB);
  for (std::uint32_t i = 1; i <= kBlocks; ++i) test::append_zstd_run(frame, 1, i == kBlocks);
  CompressionScratch scratch;
  ByteBuffer output;
  const auto refused = zstd().decompress(frame, kDecompressedBytesMax, scratch, output);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::codec_corrupt);
  EXPECT_LT(output.capacity(), 1U << 20);
}

TEST(ZstdBomb, R11_4_AWindowOfGigabytesIsRefused) {
  ByteBuffer frame = test::zstd_header({}, 21 << 3);  // 2 GiB
  test::append_zstd_run(frame, 1, true);
  EXPECT_EQ(decompressed(zstd(), frame).error().code, ErrorCode::unsupported);
}

TEST(ZstdBomb, R11_4_TheDefaultLimitIsOneGiB) {
  EXPECT_EQ(kDecompressedBytesMax, kGiB);
  EXPECT_EQ(decompressed(zstd(), zstd_bomb(kGiB + 1, kBlocksOfFourGiB)).error().code,
            ErrorCode::decompressed_too_large);
}

TEST(NoneBomb, NFR3_3_MoreThanTheLimitIsNotEvenCopied) {
  const auto none = *CodecRegistry::builtin()->by_id(CodecId::none);
  expect_defused(none, test::zeros(test::kBombLimit + 1), ErrorCode::decompressed_too_large);
}

}  // namespace
}  // namespace chunker
