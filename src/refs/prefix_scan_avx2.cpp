#include <immintrin.h>

#include "refs/prefix_needle.hpp"

namespace chunker::refs {

// Tests 32 places at once for two neighboring bytes. One byte alone is too frequent in text: every hit costs as
// much as many blocks.
[[gnu::target("avx2")]] std::size_t find_prefix_avx2(const PrefixNeedle& needle,
                                                     const std::uint8_t* data,
                                                     std::size_t size) noexcept {
  constexpr std::size_t kBlock = 32;
  const __m256i rare = _mm256_set1_epi8(static_cast<char>(needle.bytes[needle.rare]));
  const __m256i next = _mm256_set1_epi8(static_cast<char>(needle.bytes[needle.next]));
  std::size_t at = 0;
  // The whole prefix fits behind each of the 32 places, so no load and no comparison leaves the data.
  for (; size - at >= kBlock - 1 + needle.size; at += kBlock) {
    const __m256i at_rare =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + needle.rare));
    const __m256i at_next =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + needle.next));
    const __m256i both =
        _mm256_and_si256(_mm256_cmpeq_epi8(at_rare, rare), _mm256_cmpeq_epi8(at_next, next));
    for (auto hits = static_cast<unsigned>(_mm256_movemask_epi8(both)); hits != 0;
         hits &= hits - 1) {
      const std::size_t hit = at + static_cast<std::size_t>(__builtin_ctz(hits));
      if (__builtin_memcmp(data + hit, needle.bytes, needle.size) == 0) return hit;
    }
  }
  return at + find_prefix_portable(needle, data + at, size - at);
}

}  // namespace chunker::refs
