#pragma once

#include <cstdint>
#include <cstring>

#include "chunker/digest.hpp"

namespace chunker::test {

/// A number as random as it gets, the same for the same seed (splitmix64).
inline std::uint64_t random_of(std::uint64_t seed) {
  std::uint64_t z = seed + 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// A digest as random as real ones, the same for the same number.
inline Digest digest_of(std::uint64_t number) {
  Digest digest;
  std::uint64_t word = number;
  for (std::size_t i = 0; i < Digest::kBytes; i += 8) {
    word = random_of(word);
    std::memcpy(digest.bytes.data() + i, &word, 8);
  }
  return digest;
}

}  // namespace chunker::test
