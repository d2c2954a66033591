#pragma once

#include "chunker/codec.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

/// The LZ4 frame format: independent blocks of up to 4 MiB, content size, no checksums (every chunk has its
/// digest). Level 0 is the fast compressor, 3 to 12 the slow one; decoding is equally fast for all.
struct Lz4Codec {
  int level = kLz4Level;

  [[nodiscard]] CodecId id() const noexcept { return CodecId::lz4; }
  [[nodiscard]] std::string_view name() const noexcept { return "lz4"; }
  [[nodiscard]] Bytes magic_bytes() const noexcept;
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;
};
static_assert(Codec<Lz4Codec>);

}  // namespace chunker::codec
