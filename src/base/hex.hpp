#pragma once

#include <string>

#include "chunker/bytes.hpp"

namespace chunker::base {

/// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] std::string to_hex(Bytes bytes);

/// Reads exactly `out.size()` bytes of hexadecimal in either case; false if `text` is not that.
[[nodiscard]] bool from_hex(std::string_view text, MutableBytes out) noexcept;

}  // namespace chunker::base
