#pragma once

#include "chunker/digest.hpp"

namespace chunker::hash {

/// SHA-256 by OpenSSL, which picks SHA-NI, AVX2 or Arm SHA2 by itself.
[[nodiscard]] Digest sha256(Bytes bytes);

}  // namespace chunker::hash
