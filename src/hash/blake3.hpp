#pragma once

#include "chunker/digest.hpp"

namespace chunker::hash {

/// BLAKE3 with 32 bytes of output.
[[nodiscard]] Digest blake3(Bytes bytes) noexcept;

}  // namespace chunker::hash
