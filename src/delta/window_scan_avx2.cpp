#include <immintrin.h>

#include "delta/window_scan.hpp"

namespace chunker::delta {
namespace {

#define CHUNKER_AVX2 [[gnu::target("avx2"), gnu::always_inline]] inline

CHUNKER_AVX2 __m256i load_vector(const std::uint8_t* from) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

/// All ones in lane j where window 4 * j of these is sampled.
CHUNKER_AVX2 __m256i sampled(const std::uint8_t* windows) noexcept {
  const __m256i low =
      _mm256_mullo_epi32(load_vector(windows), _mm256_set1_epi32(static_cast<int>(kLowFactor)));
  const __m256i high = _mm256_mullo_epi32(load_vector(windows + 4),
                                          _mm256_set1_epi32(static_cast<int>(kHighFactor)));
  const __m256i rank =
      _mm256_add_epi32(_mm256_add_epi32(low, high), _mm256_set1_epi32(static_cast<int>(kAddend)));
  // Below 2^25: nothing in the upper 7 bits.
  return _mm256_cmpeq_epi32(_mm256_srli_epi32(rank, 25), _mm256_setzero_si256());
}

#undef CHUNKER_AVX2

}  // namespace

// 32 windows a turn: four vectors, each of every fourth window, and one branch, since most turns find nothing.
[[gnu::target("avx2")]] void scan_windows_avx2(const std::uint8_t* windows, std::size_t count,
                                               std::size_t hashes_max,
                                               std::vector<std::uint64_t>& hashes) {
  static_assert(kSampledBelow == std::uint32_t{1} << 25);
  constexpr std::size_t kTurn = 32;
  std::size_t at = 0;
  // The loads reach seven bytes beyond the turn's last window's first; a window has 32.
  for (; count - at >= kTurn; at += kTurn) {
    const __m256i hits[] = {sampled(windows + at), sampled(windows + at + 1),
                            sampled(windows + at + 2), sampled(windows + at + 3)};
    const __m256i any =
        _mm256_or_si256(_mm256_or_si256(hits[0], hits[1]), _mm256_or_si256(hits[2], hits[3]));
    if (_mm256_testz_si256(any, any) != 0) [[likely]]
      continue;
    for (std::size_t k = 0; k < 4; ++k) {
      auto lanes = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(hits[k])));
      for (; lanes != 0; lanes &= lanes - 1) {
        if (hashes.size() == hashes_max) return;
        hashes.push_back(
            hash_of(windows + at + 4 * static_cast<unsigned>(__builtin_ctz(lanes)) + k));
      }
    }
  }
  scan_windows_portable(windows + at, count - at, hashes_max, hashes);
}

}  // namespace chunker::delta
