#pragma once

#include <optional>

#include "chunker/bytes.hpp"

namespace chunker::codec {

/// Decodes one LZ4 block straight into `room`: how many bytes came out, nothing if the block is corrupt or
/// they do not fit.
[[nodiscard]] std::optional<std::size_t> decode_lz4_block(Bytes block, MutableBytes room) noexcept;

}  // namespace chunker::codec
