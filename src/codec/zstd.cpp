#include "codec/zstd.hpp"

#include "base/try.hpp"
#include "codec/bounded_output.hpp"
#include "codec/magic.hpp"
#include "codec/zstd_context.hpp"

namespace chunker::codec {
namespace {

// Level 3 is made for many megabytes. Smaller tables stay in the cache and are filled sooner: faster for about
// one percent more bytes, and the less there is to compress, the smaller they may be (bench/RESULTS.md, "zstd
// level 3"). Frames of ingest are up to 1 MiB; there a percent counts more.
constexpr ZstdTuning balanced(std::size_t content_bytes) noexcept {
  constexpr std::size_t kKiB = 1024;
  if (content_bytes <= 512 * kKiB) return {.level = kZstdLevel, .hash_log = 15, .chain_log = 14};
  if (content_bytes <= 768 * kKiB) return {.level = kZstdLevel, .hash_log = 15, .chain_log = 15};
  return {.level = kZstdLevel, .hash_log = 16, .chain_log = 15};
}

constexpr ZstdTuning tuning_of(int level, std::size_t content_bytes) noexcept {
  return level == kZstdLevel ? balanced(content_bytes) : ZstdTuning{.level = level};
}

constexpr auto kMagic = magic(0x28, 0xB5, 0x2F, 0xFD);

// A claimed size up to this, or up to 64 times the input, is reserved and decoded in one go; a larger claim
// is believed only as far as bytes really come out.
constexpr std::uint64_t kBelievedBytes = 8ULL << 20;
constexpr std::uint64_t kBelievedRatio = 64;
// A foreign frame may ask for a window of 128 MiB; a context that grew so is not kept.
constexpr std::size_t kKeptContextBytesMax = std::size_t{16} << 20;

Result<void> decode_stream(Bytes input, std::uint64_t output_bytes_max, ZSTD_DCtx* context,
                           ByteBuffer& output) {
  BoundedOutput bounded(output, output_bytes_max, input.size());
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  while (true) {
    const MutableBytes room = bounded.room();
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t status = ZSTD_decompressStream(context, &out, &in);
    CHUNKER_TRY_VOID(bounded.wrote(out.pos));
    if (ZSTD_isError(status)) return zstd_decoding_failed(status, in.pos);
    if (status == 0) break;
    if (out.pos == 0 && in.pos == in.size) {
      return base::fail(ErrorCode::codec_corrupt, "the zstd frame is cut off", in.pos);
    }
  }
  bounded.finish();
  return {};
}

}  // namespace

Bytes ZstdCodec::magic_bytes() const noexcept { return kMagic; }

Result<void> ZstdCodec::compress(Bytes input, CompressionScratch& scratch,
                                 ByteBuffer& output) const {
  return append_zstd_frame_into_room(zstd_compressor(scratch, tuning_of(level, input.size())),
                                     input, output);
}

Result<bool> ZstdCodec::compress_until(Bytes input, CompressionScratch& scratch, ByteBuffer& output,
                                       const ShouldStop& should_stop) const {
  return append_zstd_frame_until(zstd_compressor(scratch, tuning_of(level, input.size())), input,
                                 output, should_stop);
}

Result<void> ZstdCodec::decompress(Bytes input, std::uint64_t output_bytes_max,
                                   CompressionScratch& scratch, ByteBuffer& output) const {
  CHUNKER_TRY(const std::uint64_t claimed, claimed_zstd_bytes(input));
  if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed > output_bytes_max) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the zstd frame holds more than the limit allows");
  }
  ZSTD_DCtx* context = zstd_decompressor(scratch);
  if (claimed <= std::max(kBelievedBytes, kBelievedRatio * input.size())) {
    return append_zstd_content(context, input, static_cast<std::size_t>(claimed), output);
  }
  const Result<void> decoded = decode_stream(input, output_bytes_max, context, output);
  if (ZSTD_sizeof_DCtx(context) > kKeptContextBytesMax) scratch.slot(id(), false).reset();
  return decoded;
}

std::size_t ZstdCodec::context_bytes(std::size_t input_bytes_max) const noexcept {
  return zstd_compressor_bytes(level, input_bytes_max);
}

Result<CompressionCodec> make_zstd(int level) {
  return make_within(ZstdCodec{level}, kZstdLevelMin, kZstdLevelMax);
}

}  // namespace chunker::codec
