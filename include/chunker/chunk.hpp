#pragma once

#include <cstdint>

namespace chunker {

/// Where a chunk lies in its stream. Offsets and sizes in bytes.
struct ChunkExtent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const ChunkExtent&, const ChunkExtent&) = default;
};

}  // namespace chunker
