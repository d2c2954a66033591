#include "codec/delta_frame.hpp"

#include <algorithm>
#include <bit>

#include "base/try.hpp"
#include "codec/zstd_context.hpp"

namespace chunker::codec {
namespace {

// Unlike plain frames, these pay for a table that holds the whole base (bench/RESULTS.md, "Delta frames"): a place
// for every eighth byte of the window, since only every third is entered, and one of many repeats another; 4 MB at
// most.
int hash_log(int window_log) { return std::clamp(window_log - 3, 17, 20); }
constexpr int kWindowLogMin = 10;  // zstd's own ZSTD_WINDOWLOG_MIN.

// A window from which the last byte of the content still sees the first of the base.
int window_log(std::size_t reach_bytes) {
  return std::max(kWindowLogMin, static_cast<int>(std::bit_width(reach_bytes)));
}

ZstdTuning tuning(int level, std::size_t reach_bytes) {
  ZstdTuning tuning{.level = level, .window_log = window_log(reach_bytes)};
  if (level == kDeltaLevel) tuning.hash_log = hash_log(tuning.window_log);
  return tuning;
}

Result<void> check_base(Bytes base) {
  if (base.size() <= kDeltaBaseBytesMax) return {};
  return base::fail(ErrorCode::invalid_argument, "the base of a delta frame is too large");
}

}  // namespace

Result<void> compress_with_base(Bytes content, Bytes base, int level, CompressionScratch& scratch,
                                ByteBuffer& output) {
  CHUNKER_TRY_VOID(check_base(base));
  if (content.size() > kDeltaContentBytesMax) {
    return base::fail(ErrorCode::invalid_argument, "the content of a delta frame is too large");
  }
  ZSTD_CCtx* context = zstd_compressor(scratch, tuning(level, content.size() + base.size()));
  ZSTD_CCtx_refPrefix(context, base.data(), base.size());  // For the next frame only.
  return append_zstd_frame(context, content, output);
}

Result<void> decompress_with_base(Bytes frame, Bytes base, std::size_t content_bytes,
                                  CompressionScratch& scratch, ByteBuffer& output) {
  CHUNKER_TRY_VOID(check_base(base));
  if (content_bytes > kDeltaContentBytesMax) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the content of a delta frame is too large");
  }
  CHUNKER_TRY(const std::uint64_t claimed, claimed_zstd_bytes(frame));
  if (claimed != content_bytes) {
    return base::fail(ErrorCode::codec_corrupt, "the delta frame holds another number of bytes");
  }
  ZSTD_DCtx* context = zstd_decompressor(scratch);
  const std::size_t status = ZSTD_DCtx_refPrefix(context, base.data(), base.size());
  if (ZSTD_isError(status)) return zstd_decoding_failed(status);
  return append_zstd_content(context, frame, content_bytes, output);
}

}  // namespace chunker::codec
