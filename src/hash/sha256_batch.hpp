#pragma once

#include <span>

#include "chunker/digest.hpp"
#include "hash/sha256_kernels.hpp"

namespace chunker::hash {

/// The SHA-256 of every input, several at a time; `digests` is as long as `inputs`.
void sha256_batch(std::span<const Bytes> inputs, std::span<Digest> digests,
                  const Sha256Kernel& kernel);

/// The same with the best kernel for this processor, or one by one with OpenSSL where there is none.
void sha256_many(std::span<const Bytes> inputs, std::span<Digest> digests);

}  // namespace chunker::hash
