#pragma once

#include "chunker/codec.hpp"

namespace chunker::codec {

/// Keeps bytes as they are: what is compressed already, or too small to gain.
struct NoneCodec {
  [[nodiscard]] CodecId id() const noexcept { return CodecId::none; }
  [[nodiscard]] std::string_view name() const noexcept { return "none"; }
  [[nodiscard]] Bytes magic_bytes() const noexcept { return {}; }
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;
};
static_assert(Codec<NoneCodec>);

}  // namespace chunker::codec
