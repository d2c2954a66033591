#pragma once

#include <zstd.h>

#include "chunker/codec.hpp"

// What every user of zstd in this folder needs: contexts that are kept, and hostile frames seen through
// before anything is decoded or allocated.
namespace chunker::codec {

/// What a context is told before each frame; 0 is zstd's own choice.
struct ZstdTuning {
  int level;
  int window_log = 0;
  int hash_log = 0;
  int chain_log = 0;
};

/// The scratch's own contexts, as if they were new: of earlier frames, even failed ones, no parameter and no
/// base is left.
[[nodiscard]] ZSTD_CCtx* zstd_compressor(CompressionScratch& scratch, const ZstdTuning& tuning);
[[nodiscard]] ZSTD_DCtx* zstd_decompressor(CompressionScratch& scratch);
/// What the compressor takes at most, at this level, for contents up to this size, in one go or block by block.
[[nodiscard]] std::size_t zstd_compressor_bytes(int level, std::size_t content_bytes_max) noexcept;

/// Appends what `context` makes of `input`. Errors: codec_failed, and then `output` is as it was.
[[nodiscard]] Result<void> append_zstd_frame(ZSTD_CCtx* context, Bytes input, ByteBuffer& output);
/// The same frame; asks before each block of 128 KiB, and at true is false with `output` as it was.
[[nodiscard]] Result<bool> append_zstd_frame_until(ZSTD_CCtx* context, Bytes input,
                                                   ByteBuffer& output,
                                                   const ShouldStop& should_stop);

/// The same for a frame that is expected to fit the room that `output` has reserved: if it does, that room is not
/// grown, and if it does not, the input is compressed a second time. Not for a context with a base, which is for
/// one try only.
[[nodiscard]] Result<void> append_zstd_frame_into_room(ZSTD_CCtx* context, Bytes input,
                                                       ByteBuffer& output);

/// Appends the `content_bytes` that the frame claims to hold, in one go. Errors: those of a codec, and then
/// `output` is as it was.
[[nodiscard]] Result<void> append_zstd_content(ZSTD_DCtx* context, Bytes frame,
                                               std::size_t content_bytes, ByteBuffer& output);

/// The size that the frame claims, ZSTD_CONTENTSIZE_UNKNOWN if it claims none. What passes is one whole frame
/// with nothing behind it, and claims no more than its blocks can hold. Errors: codec_corrupt.
[[nodiscard]] Result<std::uint64_t> claimed_zstd_bytes(Bytes frame);

/// zstd's status as our error; bad_alloc where memory ran out.
[[nodiscard]] std::unexpected<Error> zstd_decoding_failed(
    std::size_t status, std::uint64_t offset_bytes = Error::kNoOffset);

}  // namespace chunker::codec
