#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "cut/strips.hpp"

// The gear hash with AVX-512 VBMI, along sixteen strips at once (strips.hpp).
//
// Tables. Gathering entries from memory yields about one a cycle, which is what scalar code does. Here the
// low 32 bits of the table are four planes of 256 bytes that fill sixteen registers. One `vpermi2b` looks
// 64 bytes up in 128 entries; two of them, chosen between by the byte's top bit, are one plane for four
// steps of all strips. Interleaving the four planes gives the 32-bit entries, step by step.
//
// Candidates. They are collected as bits, and told from true matches once the block is done.
//
// Figures: bench/RESULTS.md.
#define CHUNKER_TARGET [[gnu::target("avx512f,avx512bw,avx512dq,avx512vbmi")]]
#define CHUNKER_TARGET_INLINE \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vbmi"), gnu::always_inline]] inline

namespace chunker::cut {
namespace {

constexpr std::size_t kStrips = 16;
// A stride of 4 KiB would map all strips to the same cache sets.
constexpr std::size_t kStripBytesMin = 64;
constexpr std::size_t kStripBytesMax = 704;

constexpr std::size_t kStepsPerWord = 4;  // a word: four steps of sixteen strips, a bit each
constexpr std::size_t kWordsMax = kStripBytesMax / kStepsPerWord;
constexpr std::size_t kWordsPerStore = 8;
constexpr std::size_t kWarmUpWords = kStripWarmUpBytes / kStepsPerWord;

struct alignas(64) Candidates {
  std::uint64_t
      words[kWarmUpWords + kWordsMax + kWordsPerStore];  // those of the warm-up mean nothing
};

// Entries 0-63, 64-127, 128-191 and 192-255 of one byte of the gear table.
struct Plane {
  __m512i part[4];
};

CHUNKER_TARGET_INLINE Plane load_plane(const std::uint8_t* entries) noexcept {
  return {{_mm512_load_si512(entries), _mm512_load_si512(entries + 64),
           _mm512_load_si512(entries + 128), _mm512_load_si512(entries + 192)}};
}

// `high` says which bytes have their top bit set, and thus which half of the plane holds their entry.
CHUNKER_TARGET_INLINE __m512i look_up(const Plane& plane, __m512i bytes, __mmask64 high) noexcept {
  const __m512i low_half =
      _mm512_mask2_permutex2var_epi8(plane.part[0], bytes, _knot_mask64(high), plane.part[1]);
  return _mm512_mask2_permutex2var_epi8(plane.part[2], low_half, high, plane.part[3]);
}

CHUNKER_TARGET_INLINE __m128i load_16(const std::uint8_t* p) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// Sixteen bytes of strips n, 4 + n, 8 + n and 12 + n; `p` is in strip n.
CHUNKER_TARGET_INLINE __m512i load_strips(const std::uint8_t* p, std::size_t four_strips) noexcept {
  const __m512i one = _mm512_castsi128_si512(load_16(p));
  const __m512i two = _mm512_inserti32x4(one, load_16(p + four_strips), 1);
  const __m512i three = _mm512_inserti32x4(two, load_16(p + 2 * four_strips), 2);
  return _mm512_inserti32x4(three, load_16(p + 3 * four_strips), 3);
}

// Four steps of all strips. Byte 16q + 4s + r of `bytes` is step s of strip 4q + r.
CHUNKER_TARGET_INLINE std::uint64_t four_steps(const Plane planes[4], __m512i bytes, __m512i filter,
                                               __m512i& hash) noexcept {
  const __mmask64 high = _mm512_movepi8_mask(bytes);
  const __m512i byte0 = look_up(planes[0], bytes, high);
  const __m512i byte1 = look_up(planes[1], bytes, high);
  const __m512i byte2 = look_up(planes[2], bytes, high);
  const __m512i byte3 = look_up(planes[3], bytes, high);
  const __m512i low01 = _mm512_unpacklo_epi8(byte0, byte1);
  const __m512i low23 = _mm512_unpackhi_epi8(byte0, byte1);
  const __m512i high01 = _mm512_unpacklo_epi8(byte2, byte3);
  const __m512i high23 = _mm512_unpackhi_epi8(byte2, byte3);
  __m512i h = hash;
  h = _mm512_add_epi32(_mm512_add_epi32(h, h), _mm512_unpacklo_epi16(low01, high01));
  const __mmask16 match0 = _mm512_testn_epi32_mask(h, filter);
  h = _mm512_add_epi32(_mm512_add_epi32(h, h), _mm512_unpackhi_epi16(low01, high01));
  const __mmask16 match1 = _mm512_testn_epi32_mask(h, filter);
  h = _mm512_add_epi32(_mm512_add_epi32(h, h), _mm512_unpacklo_epi16(low23, high23));
  const __mmask16 match2 = _mm512_testn_epi32_mask(h, filter);
  h = _mm512_add_epi32(_mm512_add_epi32(h, h), _mm512_unpackhi_epi16(low23, high23));
  const __mmask16 match3 = _mm512_testn_epi32_mask(h, filter);
  hash = h;
  return _cvtmask64_u64(
      _mm512_kunpackd(_mm512_kunpackw(match3, match2), _mm512_kunpackw(match1, match0)));
}

// Marks where the low 32 bits of the hash have none of the filter's.
CHUNKER_TARGET void find_candidates(const GearTables& tables, const StripBlock& block,
                                    Candidates& candidates) noexcept {
  const Plane planes[4] = {load_plane(tables.planes[0]), load_plane(tables.planes[1]),
                           load_plane(tables.planes[2]), load_plane(tables.planes[3])};
  const __m512i filter = _mm512_set1_epi32(static_cast<int>(block.filter));
  const std::size_t strip = block.strip_bytes;
  const std::uint8_t* p = block.data - kStripWarmUpBytes;
  const std::uint8_t* next = block.next;
  std::uint64_t* word = candidates.words;
  __m512i hash = _mm512_setzero_si512();
  for (const std::uint8_t* const end = block.data + strip; p != end; p += kStripColumnBytes) {
    for (int line = 0; line < 4; ++line, next += 64) _mm_prefetch(next, _MM_HINT_T0);
    const __m512i strips0 = load_strips(p, 4 * strip);
    const __m512i strips1 = load_strips(p + strip, 4 * strip);
    const __m512i strips2 = load_strips(p + 2 * strip, 4 * strip);
    const __m512i strips3 = load_strips(p + 3 * strip, 4 * strip);
    const __m512i front01 = _mm512_unpacklo_epi8(strips0, strips1);
    const __m512i front23 = _mm512_unpacklo_epi8(strips2, strips3);
    const __m512i back01 = _mm512_unpackhi_epi8(strips0, strips1);
    const __m512i back23 = _mm512_unpackhi_epi8(strips2, strips3);
    *word++ = four_steps(planes, _mm512_unpacklo_epi16(front01, front23), filter, hash);
    *word++ = four_steps(planes, _mm512_unpackhi_epi16(front01, front23), filter, hash);
    *word++ = four_steps(planes, _mm512_unpacklo_epi16(back01, back23), filter, hash);
    *word++ = four_steps(planes, _mm512_unpackhi_epi16(back01, back23), filter, hash);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(word), _mm256_setzero_si256());
}

// Those of the words that have bits, and which they are. No branch depends on where candidates lie, as
// nothing could foretell it.
struct alignas(64) BusyWords {
  std::uint64_t bits[kWordsMax + kWordsPerStore];
  std::uint64_t number[kWordsMax + kWordsPerStore];
  std::size_t count;
};

CHUNKER_TARGET void gather_busy(const std::uint64_t* words, std::size_t count,
                                BusyWords& busy) noexcept {
  __m512i number = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  std::size_t n = 0;
  for (std::size_t w = 0; w < count; w += kWordsPerStore) {
    const __m512i bits = _mm512_load_si512(words + w);
    const __mmask8 any = _mm512_test_epi64_mask(bits, bits);
    _mm512_storeu_si512(busy.bits + n, _mm512_maskz_compress_epi64(any, bits));
    _mm512_storeu_si512(busy.number + n, _mm512_maskz_compress_epi64(any, number));
    n += static_cast<unsigned>(__builtin_popcount(any));
    number = _mm512_add_epi64(number, _mm512_set1_epi64(kWordsPerStore));
  }
  busy.count = n;
}

std::size_t first_of(const BusyWords& busy, const GearTables& tables, const GearMasks& masks,
                     const StripBlock& block) noexcept {
  std::size_t first = block.bytes;
  std::size_t left = block.bytes / kPlacesPerCandidateMin;
  for (std::size_t i = 0; i < busy.count; ++i) {
    std::uint64_t bits = busy.bits[i];
    do {
      if (left-- == 0) {
        return scan_from_window(tables, masks, block.data, block.bytes, block.center);
      }
      const auto bit = static_cast<std::size_t>(__builtin_ctzll(bits));
      const std::size_t index =
          bit % kStrips * block.strip_bytes + busy.number[i] * kStepsPerWord + bit / kStrips;
      const std::uint64_t mask = index < block.center ? masks.before_center : masks.after_center;
      const bool match = (window_hash(tables, block.data + index + 1) & mask) == 0;
      if (match && index < first) first = index;
      bits &= bits - 1;
    } while (bits != 0);
  }
  return first;
}

std::size_t first_match(const GearTables& tables, const GearMasks& masks,
                        const StripBlock& block) noexcept {
  Candidates candidates;
  find_candidates(tables, block, candidates);
  BusyWords busy;
  gather_busy(candidates.words + kWarmUpWords, block.strip_bytes / kStepsPerWord, busy);
  return first_of(busy, tables, masks, block);
}

}  // namespace

std::size_t scan_vbmi(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                      std::size_t size, std::size_t center, std::uint64_t& hash) noexcept {
  static constexpr StripKernel kKernel{kStrips, kStripBytesMin, kStripBytesMax, first_match};
  return scan_in_strips(kKernel, tables, masks, data, size, center, hash);
}

}  // namespace chunker::cut
