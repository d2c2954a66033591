#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/try.hpp"
#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/hash_cache.hpp"

namespace chunker::pipeline {

/// How chunks get their digests: by an algorithm, behind a cache if there is one (R3.1).
class ChunkHash {
 public:
  /// Errors: invalid_argument for a cache of another algorithm.
  [[nodiscard]] static Result<ChunkHash> make(HashAlgorithm algorithm,
                                              std::shared_ptr<HashCache> cache) {
    if (cache != nullptr && cache->algorithm() != algorithm) {
      return base::fail(ErrorCode::invalid_argument, "the hash cache is one of another algorithm",
                        Error::kNoOffset, std::string(cache->algorithm().name()));
    }
    return ChunkHash(std::move(algorithm), std::move(cache));
  }

  [[nodiscard]] const HashAlgorithm& algorithm() const noexcept { return algorithm_; }

  void hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) const {
    if (cache_ != nullptr) {
      cache_->hash_many(inputs, digests);
    } else {
      algorithm_.hash_many(inputs, digests);
    }
  }

 private:
  ChunkHash(HashAlgorithm algorithm, std::shared_ptr<HashCache> cache)
      : algorithm_(std::move(algorithm)), cache_(std::move(cache)) {}

  HashAlgorithm algorithm_;
  std::shared_ptr<HashCache> cache_;
};

}  // namespace chunker::pipeline
