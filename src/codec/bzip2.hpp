#pragma once

#include "chunker/codec.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

/// The .bz2 format, which has a CRC of its own and no context that could be kept. Levels 1 to 9: the block size
/// in units of 100 kB.
struct Bzip2Codec {
  int level = kBzip2Level;

  [[nodiscard]] CodecId id() const noexcept { return CodecId::bzip2; }
  [[nodiscard]] std::string_view name() const noexcept { return "bzip2"; }
  [[nodiscard]] Bytes magic_bytes() const noexcept;
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;
};
static_assert(Codec<Bzip2Codec>);

}  // namespace chunker::codec
