#include "codec/xz.hpp"

#include <lzma.h>

#include <algorithm>
#include <new>

#include "base/try.hpp"
#include "codec/bounded_output.hpp"
#include "codec/context.hpp"
#include "codec/magic.hpp"
#include "codec/x86_filter.hpp"

namespace chunker::codec {
namespace {

constexpr auto kMagic = magic(0xFD, '7', 'z', 'X', 'Z', 0x00);
constexpr int kLevelMin = 0, kLevelMax = 9;

// xz -9 needs 65 MiB to decode; a header that asks for gigabytes of dictionary is refused.
constexpr std::uint64_t kDecoderBytesMax = 128ULL << 20;
// So much is encoded, for some 20 ms, before it is asked again whether to stop.
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
// A stream whose dictionary was larger than a chunk needs is not kept.
constexpr std::uint64_t kKeptDecoderBytesMax = 16ULL << 20;

struct Stream {
  Stream() = default;
  ~Stream() { lzma_end(&lzma); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  lzma_stream lzma = LZMA_STREAM_INIT;
};

const std::uint8_t* raw(Bytes bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::uint8_t* raw(MutableBytes bytes) noexcept {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

/// LZMA_STREAM_END when all of it is encoded, LZMA_OK when it was stopped before.
lzma_ret encode(Bytes input, lzma_stream& lzma, MutableBytes room, const ShouldStop& should_stop) {
  lzma.next_out = raw(room);
  lzma.avail_out = room.size();
  lzma_ret status = LZMA_OK;
  while (status == LZMA_OK && !(should_stop && should_stop())) {
    const Bytes piece = input.first(std::min(input.size(), kPieceBytes));
    input = input.subspan(piece.size());
    lzma.next_in = raw(piece);
    lzma.avail_in = piece.size();
    status = lzma_code(&lzma, input.empty() ? LZMA_FINISH : LZMA_RUN);
  }
  return status;
}

std::unexpected<Error> encoding_failed(lzma_ret status) {
  if (status == LZMA_MEM_ERROR) throw std::bad_alloc();
  return base::fail(ErrorCode::codec_failed, "xz refused to compress");
}

std::unexpected<Error> decoding_failed(lzma_ret status, std::uint64_t offset_bytes) {
  if (status == LZMA_MEM_ERROR) throw std::bad_alloc();
  if (status == LZMA_MEMLIMIT_ERROR) {
    return base::fail(ErrorCode::unsupported, "the xz stream wants more than 128 MiB to decode");
  }
  return base::fail(
      ErrorCode::codec_corrupt,
      status == LZMA_BUF_ERROR ? "the xz stream is cut off" : "the xz stream does not decode",
      offset_bytes);
}

Result<void> decode(Bytes input, std::uint64_t output_bytes_max, lzma_stream& lzma,
                    ByteBuffer& output) {
  BoundedOutput bounded(output, output_bytes_max, input.size());
  lzma.next_in = raw(input);
  lzma.avail_in = input.size();
  lzma_ret status = LZMA_OK;
  while (status == LZMA_OK) {
    const MutableBytes room = bounded.room();
    lzma.next_out = raw(room);
    lzma.avail_out = room.size();
    status = lzma_code(&lzma, LZMA_FINISH);
    CHUNKER_TRY_VOID(bounded.wrote(room.size() - lzma.avail_out));
  }
  if (status != LZMA_STREAM_END) return decoding_failed(status, lzma.total_in);
  if (lzma.avail_in != 0) {
    return base::fail(ErrorCode::codec_corrupt, "bytes follow the xz stream", lzma.total_in);
  }
  bounded.finish();
  return {};
}

}  // namespace

Bytes XzCodec::magic_bytes() const noexcept { return kMagic; }

Result<void> XzCodec::compress(Bytes input, CompressionScratch& scratch, ByteBuffer& output) const {
  CHUNKER_TRY_VOID(compress_until(input, scratch, output, {}));
  return {};
}

Result<bool> XzCodec::compress_until(Bytes input, CompressionScratch& scratch, ByteBuffer& output,
                                     const ShouldStop& should_stop) const {
  lzma_options_lzma options;
  if (level < 0 || lzma_lzma_preset(&options, static_cast<std::uint32_t>(level))) {
    return base::fail(ErrorCode::codec_failed, "xz has no such compression level");
  }
  options.dict_size = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(input.size(), LZMA_DICT_SIZE_MIN, options.dict_size));
  // 7 percent less for machine code (bench/RESULTS.md, "xz"); the stream says that it was filtered.
  const lzma_filter filters[] = {
      {LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  const lzma_filter* const chain = looks_like_x86(input) ? filters : filters + 1;
  lzma_stream& lzma = kept_context<Stream>(scratch, id(), true).lzma;
  const lzma_ret ready = lzma_stream_encoder(&lzma, chain, LZMA_CHECK_NONE);
  if (ready != LZMA_OK) return encoding_failed(ready);
  const std::size_t start = output.size();
  output.resize(start + lzma_stream_buffer_bound(input.size()));
  const lzma_ret status = encode(input, lzma, output.span().subspan(start), should_stop);
  const bool done = status == LZMA_STREAM_END;
  output.resize(done ? output.size() - lzma.avail_out : start);
  if (!done && status != LZMA_OK) return encoding_failed(status);
  return done;
}

Result<void> XzCodec::decompress(Bytes input, std::uint64_t output_bytes_max,
                                 CompressionScratch& scratch, ByteBuffer& output) const {
  if (!begins_with(input, kMagic)) {
    return base::fail(ErrorCode::codec_corrupt, "xz's magic number is missing", 0);
  }
  lzma_stream& lzma = kept_context<Stream>(scratch, id(), false).lzma;
  const lzma_ret status = lzma_stream_decoder(&lzma, kDecoderBytesMax, 0);
  if (status != LZMA_OK) return decoding_failed(status, 0);
  const Result<void> decoded = decode(input, output_bytes_max, lzma, output);
  if (lzma_memusage(&lzma) > kKeptDecoderBytesMax) scratch.slot(id(), false).reset();
  return decoded;
}

Result<CompressionCodec> make_xz(int level) {
  return make_within(XzCodec{level}, kLevelMin, kLevelMax);
}

}  // namespace chunker::codec
