#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "delta/window_scan.hpp"

namespace chunker::delta {
namespace {

#define CHUNKER_AVX512 \
  [[gnu::target("avx512f,avx512bw,avx512vl,popcnt"), gnu::always_inline]] inline

// One window in 128 is sampled, so every third turn finds one and no processor can tell which: a branch would be
// missed each time. Where they are is noted without one, and the windows are hashed afterwards, this many at once.
constexpr std::size_t kTurn = 64;
constexpr std::size_t kWindowsAtOnce = 64 * kTurn;

/// Lane j is set where window 4 * j of these is sampled.
CHUNKER_AVX512 __mmask16 sampled(const std::uint8_t* windows) noexcept {
  const __m512i low = _mm512_mullo_epi32(_mm512_loadu_si512(windows),
                                         _mm512_set1_epi32(static_cast<int>(kLowFactor)));
  const __m512i high = _mm512_mullo_epi32(_mm512_loadu_si512(windows + 4),
                                          _mm512_set1_epi32(static_cast<int>(kHighFactor)));
  const __m512i rank =
      _mm512_add_epi32(_mm512_add_epi32(low, high), _mm512_set1_epi32(static_cast<int>(kAddend)));
  return _mm512_cmplt_epu32_mask(rank, _mm512_set1_epi32(static_cast<int>(kSampledBelow)));
}

/// Notes which of `count` windows, a multiple of a turn, are sampled. Returns how many. Writes up to 15 places more.
CHUNKER_AVX512 std::size_t note_sampled(const std::uint8_t* windows, std::size_t count,
                                        std::uint32_t* places) noexcept {
  const __m512i every_fourth =
      _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
  std::size_t noted = 0;
  for (std::size_t at = 0; at < count; at += kTurn) {
    for (std::size_t first = at; first < at + 4; ++first) {
      const __mmask16 hits = sampled(windows + first);
      const __m512i all =
          _mm512_add_epi32(every_fourth, _mm512_set1_epi32(static_cast<int>(first)));
      _mm512_storeu_si512(places + noted, _mm512_maskz_compress_epi32(hits, all));
      noted += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(hits)));
    }
  }
  return noted;
}

#undef CHUNKER_AVX512

}  // namespace

[[gnu::target("avx512f,avx512bw,avx512vl,popcnt")]] void scan_windows_avx512(
    const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
    std::vector<std::uint64_t>& hashes) {
  std::uint32_t places[kWindowsAtOnce + 16];
  // The loads reach seven bytes beyond the turn's last window's first; a window has 32.
  while (count >= kTurn) {
    const std::size_t looked_at = std::min(count / kTurn * kTurn, kWindowsAtOnce);
    const std::size_t noted = note_sampled(windows, looked_at, places);
    const std::size_t taken = std::min(noted, hashes_max - hashes.size());
    for (std::size_t i = 0; i < taken; ++i) hashes.push_back(hash_of(windows + places[i]));
    windows += looked_at;
    count -= looked_at;
  }
  scan_windows_portable(windows, count, hashes_max, hashes);
}

}  // namespace chunker::delta
