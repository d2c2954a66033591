#pragma once

#include <cstdint>

#include "chunker/threads.hpp"

namespace chunker {

/// Where a chunk lies in its stream.
/// Owns:    nothing; a plain value.
/// Threads: shared.
/// Errors:  none.
/// Cost:    16 bytes.
struct ChunkExtent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const ChunkExtent&, const ChunkExtent&) = default;
};

template <>
inline constexpr Threads threads_of<ChunkExtent> = Threads::shared;

}  // namespace chunker
