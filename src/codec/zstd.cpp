#include "codec/zstd.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <new>

#include "base/try.hpp"
#include "codec/bounded_output.hpp"
#include "codec/context.hpp"
#include "codec/magic.hpp"

namespace chunker::codec {
namespace {

// Level 3 is made for many megabytes. On frames of about 1 MiB smaller tables stay in the cache and are
// filled sooner: faster for about one percent more bytes (bench/RESULTS.md, "zstd level 3").
constexpr int kBalancedLevel = 3;
constexpr int kBalancedHashLog = 16;
constexpr int kBalancedChainLog = 15;

constexpr auto kMagic = magic(0x28, 0xB5, 0x2F, 0xFD);
constexpr int kLevelMin = -7, kLevelMax = 22;

// A claimed size up to this, or up to 64 times the input, is reserved and decoded in one go; a larger claim
// is believed only as far as bytes really come out.
constexpr std::uint64_t kBelievedBytes = 8ULL << 20;
constexpr std::uint64_t kBelievedRatio = 64;
// The least that a block takes, and the most that it can stand for (RFC 8878, 3.1.1.2).
constexpr std::uint64_t kBlockBytesMin = 4, kBlockContentBytesMax = 128ULL << 10;
// A foreign frame may ask for a window of 128 MiB; a context that grew so is not kept.
constexpr std::size_t kKeptContextBytesMax = std::size_t{16} << 20;

struct Compressor {
  struct Free {
    void operator()(ZSTD_CCtx* old) const noexcept { ZSTD_freeCCtx(old); }
  };
  Compressor() : context(ZSTD_createCCtx()) {
    if (context == nullptr) throw std::bad_alloc();
  }
  std::unique_ptr<ZSTD_CCtx, Free> context;
};

struct Decompressor {
  struct Free {
    void operator()(ZSTD_DCtx* old) const noexcept { ZSTD_freeDCtx(old); }
  };
  Decompressor() : context(ZSTD_createDCtx()) {
    if (context == nullptr) throw std::bad_alloc();
  }
  std::unique_ptr<ZSTD_DCtx, Free> context;
};

std::unexpected<Error> corrupt(std::string_view what,
                               std::uint64_t offset_bytes = Error::kNoOffset) {
  return base::fail(ErrorCode::codec_corrupt, what, offset_bytes);
}

std::unexpected<Error> decoding_failed(std::size_t status, std::uint64_t offset_bytes) {
  switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_memory_allocation:
      throw std::bad_alloc();
    case ZSTD_error_frameParameter_windowTooLarge:
      return base::fail(ErrorCode::unsupported, "the zstd frame wants a window beyond 128 MiB");
    case ZSTD_error_dictionary_wrong:
      return base::fail(ErrorCode::unsupported, "the zstd frame needs a dictionary");
    default:
      return corrupt("the zstd frame does not decode", offset_bytes);
  }
}

// The size that the frame claims, ZSTD_CONTENTSIZE_UNKNOWN if it claims none. What passes is one whole frame
// with nothing behind it, and claims no more than its blocks can hold.
Result<std::uint64_t> claimed_bytes(Bytes input) {
  if (!begins_with(input, kMagic)) return corrupt("zstd's magic number is missing", 0);
  const std::size_t frame_bytes = ZSTD_findFrameCompressedSize(input.data(), input.size());
  if (ZSTD_isError(frame_bytes)) {
    return corrupt("the zstd frame is cut off or its blocks do not add up", input.size());
  }
  if (frame_bytes != input.size()) return corrupt("bytes follow the zstd frame", frame_bytes);
  const unsigned long long claimed = ZSTD_getFrameContentSize(input.data(), input.size());
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN) return claimed;
  if (claimed > (input.size() / kBlockBytesMin + 1) * kBlockContentBytesMax) {
    return corrupt("the zstd frame claims more than its blocks can hold", 0);
  }
  return claimed;
}

Result<void> decode_whole(Bytes input, std::size_t content_bytes, ZSTD_DCtx* context,
                          ByteBuffer& output) {
  const std::size_t start = output.size();
  output.resize(start + content_bytes);
  const std::size_t written = ZSTD_decompressDCtx(context, output.data() + start, content_bytes,
                                                  input.data(), input.size());
  if (written == content_bytes) return {};
  output.resize(start);
  if (ZSTD_isError(written)) return decoding_failed(written, Error::kNoOffset);
  return corrupt("the zstd frame holds less than it claims");
}

Result<void> decode_stream(Bytes input, std::uint64_t output_bytes_max, ZSTD_DCtx* context,
                           ByteBuffer& output) {
  BoundedOutput bounded(output, output_bytes_max, input.size());
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  while (true) {
    const MutableBytes room = bounded.room();
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t status = ZSTD_decompressStream(context, &out, &in);
    CHUNKER_TRY_VOID(bounded.wrote(out.pos));
    if (ZSTD_isError(status)) return decoding_failed(status, in.pos);
    if (status == 0) break;
    if (out.pos == 0 && in.pos == in.size) return corrupt("the zstd frame is cut off", in.pos);
  }
  bounded.finish();
  return {};
}

}  // namespace

Bytes ZstdCodec::magic_bytes() const noexcept { return kMagic; }

Result<void> ZstdCodec::compress(Bytes input, CompressionScratch& scratch,
                                 ByteBuffer& output) const {
  ZSTD_CCtx* context = kept_context<Compressor>(scratch, id(), true).context.get();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  // Set each time, since the context may come from another level; 0 is zstd's own choice.
  ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, level == kBalancedLevel ? kBalancedHashLog : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, level == kBalancedLevel ? kBalancedChainLog : 0);
  const std::size_t start = output.size();
  const std::size_t bound = ZSTD_compressBound(input.size());
  output.resize(start + bound);
  const std::size_t written =
      ZSTD_compress2(context, output.data() + start, bound, input.data(), input.size());
  output.resize(start + (ZSTD_isError(written) ? 0 : written));
  if (!ZSTD_isError(written)) return {};
  if (ZSTD_getErrorCode(written) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  return base::fail(ErrorCode::codec_failed, "zstd refused to compress");
}

Result<void> ZstdCodec::decompress(Bytes input, std::uint64_t output_bytes_max,
                                   CompressionScratch& scratch, ByteBuffer& output) const {
  CHUNKER_TRY(const std::uint64_t claimed, claimed_bytes(input));
  if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed > output_bytes_max) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the zstd frame holds more than the limit allows");
  }
  ZSTD_DCtx* context = kept_context<Decompressor>(scratch, id(), false).context.get();
  if (claimed <= std::max(kBelievedBytes, kBelievedRatio * input.size())) {
    return decode_whole(input, static_cast<std::size_t>(claimed), context, output);
  }
  const Result<void> decoded = decode_stream(input, output_bytes_max, context, output);
  if (ZSTD_sizeof_DCtx(context) > kKeptContextBytesMax) scratch.slot(id(), false).reset();
  return decoded;
}

Result<CompressionCodec> make_zstd(int level) {
  return make_within(ZstdCodec{level}, kLevelMin, kLevelMax);
}

}  // namespace chunker::codec
