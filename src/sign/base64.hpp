#pragma once

#include <string_view>

#include "chunker/bytes.hpp"

// RFC 4648, with padding. Into memory of the caller, so that secrets leave no copies behind.
namespace chunker::sign {

[[nodiscard]] constexpr std::size_t base64_characters(std::size_t byte_count) noexcept {
  return (byte_count + 2) / 3 * 4;
}

/// Writes base64_characters(bytes.size()) characters.
void to_base64(Bytes bytes, MutableBytes characters) noexcept;

/// Reads exactly `bytes.size()` bytes, spelled the one way to_base64 does; false if `text` is not that.
[[nodiscard]] bool from_base64(std::string_view text, MutableBytes bytes) noexcept;

}  // namespace chunker::sign
