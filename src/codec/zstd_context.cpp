#define ZSTD_STATIC_LINKING_ONLY  // For what a context will take.

#include "codec/zstd_context.hpp"

#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/try.hpp"
#include "codec/context.hpp"
#include "codec/magic.hpp"
#include "codec/zstd.hpp"

namespace chunker::codec {
namespace {

// The least that a block takes, and the most that it can stand for (RFC 8878, 3.1.1.2).
constexpr std::uint64_t kBlockBytesMin = 4, kBlockContentBytesMax = 128ULL << 10;

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

std::unexpected<Error> encoding_failed(std::size_t status) {
  if (ZSTD_getErrorCode(status) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  return base::fail(ErrorCode::codec_failed, "zstd refused to compress");
}

}  // namespace

ZSTD_CCtx* zstd_compressor(CompressionScratch& scratch, const ZstdTuning& tuning) {
  ZSTD_CCtx* context = kept_context<Compressor>(scratch, CodecId::zstd, true).context.get();
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, tuning.level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, tuning.window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, tuning.hash_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, tuning.chain_log);
  return context;
}

std::size_t zstd_compressor_bytes(int level, std::size_t content_bytes_max) noexcept {
  // Smaller contents have parameters of their own, from these sizes down.
  constexpr std::array<std::size_t, 3> kSteps{std::size_t{16} << 10, std::size_t{128} << 10,
                                              std::size_t{256} << 10};
  const auto bytes_for = [level](std::size_t content_bytes) {
    return ZSTD_estimateCStreamSize_usingCParams(ZSTD_getCParams(level, content_bytes, 0));
  };
  std::size_t bytes = bytes_for(content_bytes_max);
  for (const std::size_t step : kSteps) {
    bytes = std::max(bytes, bytes_for(std::min(step, content_bytes_max)));
  }
  return bytes;
}

ZSTD_DCtx* zstd_decompressor(CompressionScratch& scratch) {
  ZSTD_DCtx* context = kept_context<Decompressor>(scratch, CodecId::zstd, false).context.get();
  ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
  return context;
}

Result<void> append_zstd_frame(ZSTD_CCtx* context, Bytes input, ByteBuffer& output) {
  const std::size_t start = output.size();
  const std::size_t bound = ZSTD_compressBound(input.size());
  output.resize(start + bound);
  const std::size_t written =
      ZSTD_compress2(context, output.data() + start, bound, input.data(), input.size());
  output.resize(start + (ZSTD_isError(written) ? 0 : written));
  if (!ZSTD_isError(written)) return {};
  return encoding_failed(written);
}

Result<bool> append_zstd_frame_until(ZSTD_CCtx* context, Bytes input, ByteBuffer& output,
                                     const ShouldStop& should_stop) {
  const std::size_t start = output.size();
  output.resize(start + ZSTD_compressBound(input.size()));
  ZSTD_outBuffer out{output.data() + start, output.size() - start, 0};
  ZSTD_CCtx_setPledgedSrcSize(context, input.size());
  bool stopped = false;
  std::size_t left = 1;  // To be flushed, or an error; 0 once all of the frame is out.
  while (left != 0 && !ZSTD_isError(left)) {
    stopped = should_stop && should_stop();
    if (stopped) break;
    const Bytes block = input.first(std::min(input.size(), kBlockContentBytesMax));
    input = input.subspan(block.size());
    ZSTD_inBuffer in{block.data(), block.size(), 0};
    left = ZSTD_compressStream2(context, &out, &in, input.empty() ? ZSTD_e_end : ZSTD_e_continue);
    if (!input.empty() && left == 0) left = 1;
  }
  output.resize(start + (left == 0 ? out.pos : 0));
  if (ZSTD_isError(left)) return encoding_failed(left);
  return !stopped;
}

Result<void> append_zstd_frame_into_room(ZSTD_CCtx* context, Bytes input, ByteBuffer& output) {
  const std::size_t start = output.size();
  const std::size_t room = output.capacity() - start;
  if (room != 0 && room < ZSTD_compressBound(input.size())) {
    output.resize(start + room);
    const std::size_t written =
        ZSTD_compress2(context, output.data() + start, room, input.data(), input.size());
    output.resize(start + (ZSTD_isError(written) ? 0 : written));
    if (!ZSTD_isError(written)) return {};
  }
  return append_zstd_frame(context, input, output);
}

Result<void> append_zstd_content(ZSTD_DCtx* context, Bytes frame, std::size_t content_bytes,
                                 ByteBuffer& output) {
  const std::size_t start = output.size();
  output.resize(start + content_bytes);
  const std::size_t written = ZSTD_decompressDCtx(context, output.data() + start, content_bytes,
                                                  frame.data(), frame.size());
  if (written == content_bytes) return {};
  output.resize(start);
  if (ZSTD_isError(written)) return zstd_decoding_failed(written);
  return base::fail(ErrorCode::codec_corrupt, "the zstd frame holds less than it claims");
}

Result<std::uint64_t> claimed_zstd_bytes(Bytes frame) {
  constexpr auto kCorrupt = ErrorCode::codec_corrupt;
  if (!begins_with(frame, ZstdCodec{}.magic_bytes())) {
    return base::fail(kCorrupt, "zstd's magic number is missing", 0);
  }
  const std::size_t frame_bytes = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(frame_bytes)) {
    return base::fail(kCorrupt, "the zstd frame is cut off or its blocks do not add up",
                      frame.size());
  }
  if (frame_bytes != frame.size()) {
    return base::fail(kCorrupt, "bytes follow the zstd frame", frame_bytes);
  }
  const unsigned long long claimed = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN) return claimed;
  if (claimed > (frame.size() / kBlockBytesMin + 1) * kBlockContentBytesMax) {
    return base::fail(kCorrupt, "the zstd frame claims more than its blocks can hold", 0);
  }
  return claimed;
}

std::unexpected<Error> zstd_decoding_failed(std::size_t status, std::uint64_t offset_bytes) {
  switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_memory_allocation:
      throw std::bad_alloc();
    case ZSTD_error_frameParameter_windowTooLarge:
      return base::fail(ErrorCode::unsupported, "the zstd frame wants a window beyond 128 MiB");
    case ZSTD_error_dictionary_wrong:
      return base::fail(ErrorCode::unsupported, "the zstd frame needs a dictionary");
    default:
      return base::fail(ErrorCode::codec_corrupt, "the zstd frame does not decode", offset_bytes);
  }
}

}  // namespace chunker::codec
