#include "codec/bzip2.hpp"

#include <bzlib.h>

#include "codec/bomb.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;

CompressionCodec bzip2(int level = codec::kBzip2Level) {
  return CompressionCodec::of(codec::Bzip2Codec{.level = level});
}

ByteBuffer bzip2_of_zeros(std::uint64_t size) {
  bz_stream stream{};
  EXPECT_EQ(BZ2_bzCompressInit(&stream, 9, 0, 0), BZ_OK);
  ByteBuffer piece = test::zeros(1 << 20), frame(1 << 20);
  stream.next_out = reinterpret_cast<char*>(frame.data());
  stream.avail_out = static_cast<unsigned>(frame.size());
  for (std::uint64_t fed = 0; fed < size; fed += piece.size()) {
    stream.next_in = reinterpret_cast<char*>(piece.data());
    stream.avail_in = static_cast<unsigned>(piece.size());
    EXPECT_EQ(BZ2_bzCompress(&stream, BZ_RUN), BZ_RUN_OK);
  }
  EXPECT_EQ(BZ2_bzCompress(&stream, BZ_FINISH), BZ_STREAM_END);
  frame.resize(frame.size() - stream.avail_out);
  BZ2_bzCompressEnd(&stream);
  return frame;
}

TEST(Bzip2Bomb, NFR3_3_HalfAGiBOfZerosIsStoppedAtTheLimit) {
  test::expect_defused(bzip2(), bzip2_of_zeros(1ULL << 29), ErrorCode::decompressed_too_large);
}

TEST(Bzip2, FindsDamageByItsChecksum) {
  ByteBuffer frame = compressed(bzip2(), test::words(10'000));
  frame.data()[frame.size() / 2] ^= std::byte{1};
  EXPECT_EQ(decompressed(bzip2(), frame).error().code, ErrorCode::codec_corrupt);
}

TEST(Bzip2, CompressionFailsForALevelThatDoesNotExist) {
  CompressionScratch scratch;
  ByteBuffer output;
  for (const int level : {0, 10}) {
    const auto refused = bzip2(level).compress(bytes_of("x"), scratch, output);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::codec_failed);
    EXPECT_TRUE(output.empty());
  }
}

}  // namespace
}  // namespace chunker
