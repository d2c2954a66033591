#pragma once

#include "chunker/codec.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

/// The .xz format: one stream, no check of its own (every chunk has its digest), and a dictionary no larger than
/// the input, so that decoding a chunk takes no more memory than the chunk. Levels 0 to 9.
struct XzCodec {
  int level = kXzLevel;

  [[nodiscard]] CodecId id() const noexcept { return CodecId::xz; }
  [[nodiscard]] std::string_view name() const noexcept { return "xz"; }
  [[nodiscard]] Bytes magic_bytes() const noexcept;
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;
  [[nodiscard]] Result<bool> compress_until(Bytes input, CompressionScratch& scratch,
                                            ByteBuffer& output,
                                            const ShouldStop& should_stop) const;
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;
};
static_assert(StoppableCodec<XzCodec>);

}  // namespace chunker::codec
