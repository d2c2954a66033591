#pragma once

#include <cstddef>
#include <string_view>

namespace chunker::base {

/// How many bytes the character has that `text`, which is not empty, begins with; 0 if that is not
/// well-formed UTF-8 (Unicode 15, table 3-7).
[[nodiscard]] std::size_t utf8_bytes(std::string_view text) noexcept;

}  // namespace chunker::base
