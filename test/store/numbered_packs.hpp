#pragma once

#include <cstdint>
#include <string>

#include "store/index.hpp"
#include "support/digests.hpp"

namespace chunker::store {

inline constexpr std::uint64_t kChunksPerPack = 100;

/// Pack `number` (from 0) locates the chunks [100 * number, 100 * number + 100).
inline Result<void> add_pack(Index& index, std::uint64_t number) {
  FrameRecord frame{1000, CodecId::zstd, 0, {}};
  for (std::uint64_t n = 0; n < kChunksPerPack; ++n) {
    frame.chunks.push_back({test::digest_of(number * kChunksPerPack + n), n + 1});
  }
  return index.add_pack("packs/" + std::to_string(number), 1000, {number + 1, {frame}});
}

}  // namespace chunker::store
