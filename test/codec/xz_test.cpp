#include "codec/xz.hpp"

#include <lzma.h>

#include "codec/bomb.hpp"
#include "codec/machine_code.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::decompressed;

CompressionCodec xz(int level = codec::kXzLevel) {
  return CompressionCodec::of(codec::XzCodec{.level = level});
}

// `size` zeros at level 0, fed piece by piece.
ByteBuffer xz_of_zeros(std::uint64_t size) {
  lzma_stream stream = LZMA_STREAM_INIT;
  EXPECT_EQ(lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC64), LZMA_OK);
  const ByteBuffer piece = test::zeros(1 << 20);
  ByteBuffer frame(8 << 20);
  stream.next_out = reinterpret_cast<std::uint8_t*>(frame.data());
  stream.avail_out = frame.size();
  for (std::uint64_t fed = 0; fed < size; fed += piece.size()) {
    stream.next_in = reinterpret_cast<const std::uint8_t*>(piece.data());
    stream.avail_in = piece.size();
    EXPECT_EQ(lzma_code(&stream, LZMA_RUN), LZMA_OK);
  }
  EXPECT_EQ(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
  frame.resize(stream.total_out);
  lzma_end(&stream);
  return frame;
}

// A kilobyte, with a dictionary of any size announced.
ByteBuffer xz_with_dictionary(std::uint32_t dictionary_bytes) {
  lzma_options_lzma options;
  EXPECT_FALSE(lzma_lzma_preset(&options, 0));
  options.dict_size = dictionary_bytes;
  lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  const ByteBuffer input = test::words(1000);
  ByteBuffer frame(lzma_stream_buffer_bound(input.size()));
  std::size_t written = 0;
  EXPECT_EQ(lzma_stream_buffer_encode(filters, LZMA_CHECK_NONE, nullptr,
                                      reinterpret_cast<const std::uint8_t*>(input.data()),
                                      input.size(), reinterpret_cast<std::uint8_t*>(frame.data()),
                                      &written, frame.size()),
            LZMA_OK);
  frame.resize(written);
  return frame;
}

std::uint32_t dictionary_bytes_of(Bytes frame) {
  lzma_filter filters[LZMA_FILTERS_MAX + 1];
  lzma_block block{};
  block.filters = filters;
  block.check = LZMA_CHECK_NONE;
  const auto* header =
      reinterpret_cast<const std::uint8_t*>(frame.data()) + LZMA_STREAM_HEADER_SIZE;
  block.header_size = lzma_block_header_size_decode(header[0]);
  EXPECT_EQ(lzma_block_header_decode(&block, nullptr, header), LZMA_OK);
  const auto* options = static_cast<const lzma_options_lzma*>(filters[0].options);
  const std::uint32_t size = options->dict_size;
  lzma_filters_free(filters, nullptr);
  return size;
}

TEST(XzBomb, NFR3_3_AGiBOfZerosIsStoppedAtTheLimit) {
  test::expect_defused(xz(), xz_of_zeros(1ULL << 30), ErrorCode::decompressed_too_large);
}

TEST(XzBomb, R11_4_ADictionaryBeyond128MiBIsRefused) {
  EXPECT_EQ(decompressed(xz(), xz_with_dictionary(1U << 30)).error().code, ErrorCode::unsupported);
}

TEST(Xz, TheDictionaryIsNoLargerThanTheInput) {
  EXPECT_EQ(dictionary_bytes_of(compressed(xz(9), test::words(10))), LZMA_DICT_SIZE_MIN);
  EXPECT_EQ(dictionary_bytes_of(compressed(xz(9), test::words(1 << 20))), 1U << 20);
  EXPECT_EQ(dictionary_bytes_of(compressed(xz(0), test::words(1 << 20))), 256U << 10);
}

TEST(Xz, ReadsStreamsWithACheckAndFindsDamageByIt) {
  ByteBuffer frame = xz_of_zeros(5 << 20);
  EXPECT_TRUE(test::same(*decompressed(xz(), frame), test::zeros(5 << 20)));
  constexpr std::size_t kFooterBytes = 12;
  frame.data()[frame.size() - kFooterBytes - 20] ^= std::byte{1};
  EXPECT_EQ(decompressed(xz(), frame).error().code, ErrorCode::codec_corrupt);
}

TEST(Xz, AStreamThatGrewForAWideDictionaryIsNotKept) {
  CompressionScratch scratch;
  ByteBuffer output;
  ASSERT_TRUE(xz().decompress(xz_with_dictionary(1U << 20), 1000, scratch, output));
  EXPECT_NE(scratch.slot(CodecId::xz, false), nullptr);
  ASSERT_TRUE(xz().decompress(xz_with_dictionary(64U << 20), 1000, scratch, output));
  EXPECT_EQ(scratch.slot(CodecId::xz, false), nullptr);
}

TEST(Xz, MachineCodeIsFilteredAndOtherContentIsNot) {
  for (const auto& [content, filters] :
       {std::pair(test::machine_code(100'000), 2U), std::pair(test::words(100'000), 1U)}) {
    const ByteBuffer frame = compressed(xz(), content);
    // The two lowest bits of a block's flags are its filters less one (the .xz format, 3.1.2).
    EXPECT_EQ(std::to_integer<unsigned>(frame.data()[LZMA_STREAM_HEADER_SIZE + 1] & std::byte{3}),
              filters - 1);
    EXPECT_TRUE(test::same(*decompressed(xz(), frame), content));
  }
}

TEST(Xz, CompressionFailsForALevelThatDoesNotExist) {
  CompressionScratch scratch;
  ByteBuffer output;
  for (const int level : {-1, 10}) {
    const auto refused = xz(level).compress(bytes_of("x"), scratch, output);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::codec_failed);
    EXPECT_TRUE(output.empty());
  }
}

}  // namespace
}  // namespace chunker
