#pragma once

#include <memory>
#include <span>

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
                                              std::shared_ptr<HashCache> cache);

  [[nodiscard]] const HashAlgorithm& algorithm() const noexcept { return algorithm_; }

  /// Of one large input for BLAKE3 idle threads of the current task arena take a part (R8.1).
  /// Errors: std::bad_alloc.
  void hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) const;

 private:
  ChunkHash(HashAlgorithm algorithm, std::shared_ptr<HashCache> cache)
      : algorithm_(std::move(algorithm)), cache_(std::move(cache)) {}

  HashAlgorithm algorithm_;
  std::shared_ptr<HashCache> cache_;
  bool is_blake3_ = algorithm_ == HashAlgorithm::blake3();
};

}  // namespace chunker::pipeline
