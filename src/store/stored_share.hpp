#pragma once

#include <algorithm>
#include <cstdint>

#include "store/index.hpp"
#include "store/pack.hpp"

namespace chunker::store {

/// The part of its frame's payload that a chunk takes, by its part of the raw bytes: a way of counting, since
/// chunks of one frame are compressed together. The shares of all chunks of a frame add up to its payload.
[[nodiscard]] inline std::uint64_t stored_share(const ChunkLocation& chunk) noexcept {
  if (chunk.frame_raw_bytes == 0 || chunk.payload_bytes > kFrameBytesMax) return 0;
  const auto payload_before = [&chunk](std::uint64_t raw_bytes) {
    const double part = static_cast<double>(raw_bytes) / static_cast<double>(chunk.frame_raw_bytes);
    return static_cast<std::uint64_t>(std::min(part, 1.0) *
                                      static_cast<double>(chunk.payload_bytes));
  };
  return payload_before(chunk.offset_in_frame + chunk.chunk_bytes) -
         payload_before(chunk.offset_in_frame);
}

}  // namespace chunker::store
