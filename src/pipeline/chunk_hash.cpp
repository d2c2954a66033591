#include "pipeline/chunk_hash.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <string>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "hash/blake3_pieces.hpp"

namespace chunker::pipeline {
namespace {

/// From this size on threads help (bench/RESULTS.md, "Hashing"). No chunk of the presets is as large.
constexpr std::size_t kSharedBytesMin = 4 << 20;

bool is_shared(Bytes input) noexcept {
  return input.size() >= kSharedBytesMin && hash::blake3_piece_count(input.size()) > 0;
}

Digest blake3_shared(Bytes input) {
  using hash::kBlake3PieceBytes;
  std::vector<hash::Blake3PieceTop> tops(hash::blake3_piece_count(input.size()));
  // Isolated: who waits here must not begin something else of the arena's.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, tops.size(), [&](std::size_t i) {
      tops[i] = hash::blake3_piece(input.subspan(i * kBlake3PieceBytes, kBlake3PieceBytes), i);
    });
  });
  return hash::blake3_of_pieces(tops, input.subspan(tops.size() * kBlake3PieceBytes));
}

}  // namespace

Result<ChunkHash> ChunkHash::make(HashAlgorithm algorithm, std::shared_ptr<HashCache> cache) {
  if (cache != nullptr && cache->algorithm() != algorithm) {
    return base::fail(ErrorCode::invalid_argument, "the hash cache is one of another algorithm",
                      Error::kNoOffset, std::string(cache->algorithm().name()));
  }
  return ChunkHash(std::move(algorithm), std::move(cache));
}

void ChunkHash::hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) const {
  if (cache_ != nullptr) return cache_->hash_many(inputs, digests);
  // Several are looked through for bytes that occur again (R5.2), and a slab seldom holds several that are large.
  if (is_blake3_ && inputs.size() == 1 && is_shared(inputs[0])) {
    digests[0] = blake3_shared(inputs[0]);
  } else {
    algorithm_.hash_many(inputs, digests);
  }
}

}  // namespace chunker::pipeline
