#pragma once

#include <cstddef>

namespace chunker::codec {

/// Enough for what any codec of ours makes of so many bytes at worst, so that a buffer of this size never grows.
[[nodiscard]] constexpr std::size_t room_to_compress(std::size_t raw_bytes) noexcept {
  return raw_bytes + raw_bytes / 64 + 1024;
}

}  // namespace chunker::codec
