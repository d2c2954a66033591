#include "codec/lz4_block.hpp"

#include <lz4.h>

namespace chunker::codec {

std::optional<std::size_t> decode_lz4_block(Bytes block, MutableBytes room) noexcept {
  if (block.size() > LZ4_MAX_INPUT_SIZE || room.size() > LZ4_MAX_INPUT_SIZE) return std::nullopt;
  const int written = LZ4_decompress_safe(
      reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(room.data()),
      static_cast<int>(block.size()), static_cast<int>(room.size()));
  if (written < 0) return std::nullopt;
  return static_cast<std::size_t>(written);
}

}  // namespace chunker::codec
