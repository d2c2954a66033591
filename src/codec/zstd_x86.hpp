#pragma once

#include "chunker/codec.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

/// Zstandard behind a filter for x86 machine code (x86_filter.hpp): one byte, then a zstd frame. The byte keeps
/// detect() from taking it for plain zstd, whose bytes would then come back filtered.
struct ZstdX86Codec {
  int level = kZstdLevel;

  [[nodiscard]] CodecId id() const noexcept { return CodecId::zstd_x86; }
  [[nodiscard]] std::string_view name() const noexcept { return "zstd_x86"; }
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
static_assert(StoppableCodec<ZstdX86Codec> && MeasuredCodec<ZstdX86Codec>);

}  // namespace chunker::codec
