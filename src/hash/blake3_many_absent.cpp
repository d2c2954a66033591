#include <algorithm>

#include "hash/blake3.hpp"
#include "hash/blake3_many.hpp"

namespace chunker::hash {

void blake3_many(std::span<const Bytes> inputs, std::span<Digest> digests) {
  std::ranges::transform(inputs, digests.begin(), blake3);
}

}  // namespace chunker::hash
