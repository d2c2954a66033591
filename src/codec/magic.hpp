#pragma once

#include <algorithm>
#include <array>

#include "chunker/bytes.hpp"

namespace chunker::codec {

/// magic(0x28, 0xB5): the bytes that a format begins with.
template <class... T>
[[nodiscard]] constexpr std::array<std::byte, sizeof...(T)> magic(T... values) noexcept {
  return {static_cast<std::byte>(values)...};
}

[[nodiscard]] inline bool begins_with(Bytes input, Bytes magic_bytes) noexcept {
  return input.size() >= magic_bytes.size() &&
         std::ranges::equal(input.first(magic_bytes.size()), magic_bytes);
}

}  // namespace chunker::codec
