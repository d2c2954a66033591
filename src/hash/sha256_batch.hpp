#pragma once

#include <span>

#include "chunker/digest.hpp"
#include "hash/sha256_kernels.hpp"

namespace chunker::hash {

/// The SHA-256 of every input, several at a time; `digests` is as long as `inputs`. `kernels` are some that run
/// here, narrow ones first; the first must take any number of messages.
void sha256_batch(std::span<const Bytes> inputs, std::span<Digest> digests,
                  std::span<const Sha256Kernel> kernels);

/// The same with all kernels of this processor, or one by one with OpenSSL where there is none.
void sha256_many(std::span<const Bytes> inputs, std::span<Digest> digests);

}  // namespace chunker::hash
