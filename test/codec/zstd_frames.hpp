#pragma once

#include <optional>

#include "base/wire.hpp"
#include "chunker/bytes.hpp"

// zstd frames by hand (RFC 8878), which no compressor would write.
namespace chunker::test {

inline constexpr std::uint32_t kZstdBlockBytes = 128 << 10;

/// magic, frame header with a window of 1 MiB and, if given, a content size.
inline ByteBuffer zstd_header(std::optional<std::uint64_t> claimed_bytes,
                              std::uint8_t window_descriptor = 10 << 3) {
  ByteBuffer frame;
  base::append_le(frame, std::uint32_t{0xFD2FB528});
  base::append_le(frame, std::uint8_t(claimed_bytes ? 3 << 6 : 0));
  base::append_le(frame, window_descriptor);
  if (claimed_bytes) base::append_le(frame, *claimed_bytes);
  return frame;
}

/// A block that stands for `count` times one byte, in four bytes.
inline void append_zstd_run(ByteBuffer& frame, std::uint32_t count, bool last) {
  constexpr std::uint32_t kRunLength = 1;
  base::append_le(frame, (count << 3 | kRunLength << 1 | std::uint32_t{last}) & 0xFFFFFF);
}

/// 128 KiB blocks of zeros, `block_count` of them.
inline ByteBuffer zstd_bomb(std::optional<std::uint64_t> claimed_bytes, std::uint32_t block_count) {
  ByteBuffer frame = zstd_header(claimed_bytes);
  for (std::uint32_t i = 1; i <= block_count; ++i) {
    append_zstd_run(frame, kZstdBlockBytes, i == block_count);
  }
  return frame;
}

}  // namespace chunker::test
