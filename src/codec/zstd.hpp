#pragma once

#include "chunker/codec.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

/// Zstandard: one frame that says how many bytes it holds and carries no checksum of its own, because every
/// chunk has its digest. Levels -7 to 22; above 19 needs far more memory for little gain.
struct ZstdCodec {
  int level = kZstdLevel;

  [[nodiscard]] CodecId id() const noexcept { return CodecId::zstd; }
  [[nodiscard]] std::string_view name() const noexcept { return "zstd"; }
  [[nodiscard]] Bytes magic_bytes() const noexcept;
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;
  [[nodiscard]] Result<bool> compress_until(Bytes input, CompressionScratch& scratch,
                                            ByteBuffer& output,
                                            const ShouldStop& should_stop) const;
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;
  [[nodiscard]] std::size_t context_bytes(std::size_t input_bytes_max) const noexcept;
};
static_assert(StoppableCodec<ZstdCodec> && MeasuredCodec<ZstdCodec>);

}  // namespace chunker::codec
