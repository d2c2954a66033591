#pragma once

#include "chunker/codec.hpp"

// Delta frames: zstd frames that may refer to a base, bytes that whoever decodes them must have as well
// (ZSTD_CCtx_refPrefix). Against the same files of the version before they take less than half of what plain
// frames take (bench/RESULTS.md, "Delta frames"). A frame does not say what its base was: whoever keeps one
// keeps the other's name beside it, and the digest of what comes out. With another base it does not decode, or
// gives other bytes of the same number.
namespace chunker::codec {

/// Whoever encodes or decodes holds both. The window reaches from the last byte of the content to the first of the
/// base: the power of two above them together, so 16 MiB at most.
inline constexpr std::size_t kDeltaBaseBytesMax = std::size_t{4} << 20;
inline constexpr std::size_t kDeltaContentBytesMax = std::size_t{4} << 20;
/// zstd's fastest search, with a hash table that grows with the window. What a base has is found in long matches:
/// a search that cares for nothing else takes an eighth less time, as a whole program, than that of level 3, for a
/// store 0.5 percent larger.
inline constexpr int kDeltaLevel = 1;

/// Appends `content` as a frame for those who have `base`. `level` is that of zstd. By kDeltaLevel, contents that
/// resemble the base take less time than a plain frame of level 3, the indexing of the base included; others take
/// half as much again.
/// Errors: invalid_argument for a content or a base beyond the bounds, codec_failed; `output` is then as it was.
[[nodiscard]] Result<void> compress_with_base(Bytes content, Bytes base, int level,
                                              CompressionScratch& scratch, ByteBuffer& output);

/// Appends the `content_bytes` that the frame was made of; a frame that holds any other number is an error.
/// Errors: codec_corrupt, decompressed_too_large beyond kDeltaContentBytesMax, unsupported for a frame that needs
/// a dictionary of its own, invalid_argument for a base beyond its bound; `output` is then as it was.
[[nodiscard]] Result<void> decompress_with_base(Bytes frame, Bytes base, std::size_t content_bytes,
                                                CompressionScratch& scratch, ByteBuffer& output);

}  // namespace chunker::codec
