#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "cut/gear_kernel.hpp"

// The gear hash with AVX-512 VBMI, at sixteen places of the input at once, with the cuts of scan_scalar.
//
// Strips. A block of input is sixteen strips of equal length, one behind the other, and 32-bit lane r runs
// along strip r. The low 32 bits of a hash depend on 32 bytes, so each lane first runs over the 32 bytes
// before its strip; from there on its hash is right modulo 2^32.
//
// Tables. Gathering entries from memory yields about one a cycle, which is what scalar code does. Here the
// low 32 bits of the table are four planes of 256 bytes that fill sixteen registers. One `vpermi2b` looks
// 64 bytes up in 128 entries; two of them, chosen between by the byte's top bit, are one plane for four
// steps of all strips. Interleaving the four planes gives the 32-bit entries, step by step.
//
// Candidates. A lane sees only 32 bits of a hash, so what passes is a candidate. A block's candidates are
// collected as bits, then each gets its whole hash computed, and the first true match in the order of the
// input is the cut. A mask with few low bits makes too many candidates, and so does periodic input, whose
// windows are all alike: both are left to scan_scalar, the latter block by block.
//
// Figures: bench/RESULTS.md.
#define CHUNKER_TARGET [[gnu::target("avx512f,avx512bw,avx512dq,avx512vbmi")]]
#define CHUNKER_TARGET_INLINE \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vbmi"), gnu::always_inline]] inline

namespace chunker::cut {
namespace {

constexpr std::size_t kStrips = 16;
constexpr std::size_t kColumnBytes = 16;  // of every strip, in one round of the loop
constexpr std::size_t kWarmUpBytes = 32;  // what the low 32 bits of a hash depend on
constexpr std::size_t kHistoryBytes =
    64;  // before the first block: a window, and whole cache lines
// Longer strips have less to warm up, shorter ones less to throw away behind a cut. A stride of 4 KiB would
// map all strips to the same cache sets.
constexpr std::size_t kStripBytesMax = 704;
constexpr std::size_t kStripBytesMin = 64;
constexpr int kFilterBitsMin =
    8;  // one candidate in 256 bytes; with fewer bits the scalar loop wins

constexpr std::size_t kPlacesPerCandidateMin =
    128;  // in a block: twice as many as chance would give

constexpr std::size_t kStepsPerWord = 4;  // a word: four steps of sixteen strips, a bit each
constexpr std::size_t kWordsMax = kStripBytesMax / kStepsPerWord;
constexpr std::size_t kWordsPerStore = 8;
constexpr std::size_t kWarmUpWords = kWarmUpBytes / kStepsPerWord;

struct Block {
  const std::uint8_t* data;  // of the first strip; kWarmUpBytes before it are readable
  std::size_t strip_bytes;   // a multiple of kColumnBytes
  const std::uint8_t* next;  // what to prefetch meanwhile

  std::size_t bytes() const noexcept { return kStrips * strip_bytes; }
};

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
CHUNKER_TARGET void find_candidates(const GearTables& tables, const Block& block,
                                    std::uint32_t filter_bits, Candidates& candidates) noexcept {
  const Plane planes[4] = {load_plane(tables.planes[0]), load_plane(tables.planes[1]),
                           load_plane(tables.planes[2]), load_plane(tables.planes[3])};
  const __m512i filter = _mm512_set1_epi32(static_cast<int>(filter_bits));
  const std::size_t strip = block.strip_bytes;
  const std::uint8_t* p = block.data - kWarmUpBytes;
  const std::uint8_t* next = block.next;
  std::uint64_t* word = candidates.words;
  __m512i hash = _mm512_setzero_si512();
  for (const std::uint8_t* const end = block.data + strip; p != end; p += kColumnBytes) {
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

// The low 48 bits of the hash after the byte before `end`: four chains that do not wait for each other.
std::uint64_t window_hash(const GearTables& tables, const std::uint8_t* end) noexcept {
  const std::uint64_t* const entry = tables.shifted[0];
  const std::uint8_t* const p = end - kWindowBytes;
  std::uint64_t h0 = 0, h1 = 0, h2 = 0, h3 = 0;
  for (int i = 0; i < 12; ++i) {
    h0 = 2 * h0 + entry[p[i]];
    h1 = 2 * h1 + entry[p[i + 12]];
    h2 = 2 * h2 + entry[p[i + 24]];
    h3 = 2 * h3 + entry[p[i + 36]];
  }
  return (h0 << 36) + (h1 << 24) + (h2 << 12) + h3;
}

// What the scalar loop finds in `size` bytes at `data`, with a window before them.
std::size_t scan_from_window(const GearTables& tables, const GearMasks& masks,
                             const std::uint8_t* data, std::size_t size,
                             std::size_t center) noexcept {
  std::uint64_t hash = window_hash(tables, data);
  return scan_scalar(tables, masks, data, size, center, hash);
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

// The index in the block of the first true match, or its size.
std::size_t first_match(const GearTables& tables, const GearMasks& masks, const Block& block,
                        std::size_t center, const BusyWords& busy) noexcept {
  std::size_t first = block.bytes();
  std::size_t left = block.bytes() / kPlacesPerCandidateMin;
  for (std::size_t i = 0; i < busy.count; ++i) {
    std::uint64_t bits = busy.bits[i];
    do {
      if (left-- == 0) return scan_from_window(tables, masks, block.data, block.bytes(), center);
      const auto bit = static_cast<std::size_t>(__builtin_ctzll(bits));
      const std::size_t index =
          bit % kStrips * block.strip_bytes + busy.number[i] * kStepsPerWord + bit / kStrips;
      const std::uint64_t mask = index < center ? masks.before_center : masks.after_center;
      const bool match = (window_hash(tables, block.data + index + 1) & mask) == 0;
      if (match && index < first) first = index;
      bits &= bits - 1;
    } while (bits != 0);
  }
  return first;
}

// Only the low 32 bits of a mask can filter; where both masks are in use, those that both have.
std::uint32_t filter_of(const GearMasks& masks, std::size_t size, std::size_t center) noexcept {
  if (center == 0) return static_cast<std::uint32_t>(masks.after_center);
  if (center >= size) return static_cast<std::uint32_t>(masks.before_center);
  return static_cast<std::uint32_t>(masks.before_center & masks.after_center);
}

bool is_sparse(std::uint32_t filter) noexcept {
  return __builtin_popcount(filter) >= kFilterBitsMin;
}

// How long the strips of the largest block in `size` bytes are; 0 if they are too few for one.
std::size_t strip_bytes_in(std::size_t size) noexcept {
  const std::size_t longest = size / kStrips / kColumnBytes * kColumnBytes;
  if (longest < kStripBytesMin) return 0;
  return longest < kStripBytesMax ? longest : kStripBytesMax;
}

struct Scanned {
  std::size_t bytes;  // how many were scanned
  std::size_t found;  // the index of the first match, or `bytes`
};

// Scans one block of `size` bytes at `data`, or what is not fit for one; a window lies before them.
Scanned scan_some(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                  std::size_t size, std::size_t center, Candidates& candidates) noexcept {
  const std::size_t one_mask_bytes = center == 0 || center > size ? size : center;
  std::size_t strip_bytes = strip_bytes_in(size);
  std::uint32_t filter = filter_of(masks, kStrips * strip_bytes, center);
  if (!is_sparse(filter)) {
    strip_bytes = strip_bytes_in(one_mask_bytes);
    filter = filter_of(masks, kStrips * strip_bytes, center);
  }
  if (strip_bytes == 0 || !is_sparse(filter)) {
    return {one_mask_bytes, scan_from_window(tables, masks, data, one_mask_bytes, center)};
  }
  const std::size_t bytes = kStrips * strip_bytes;
  const Block block{data, strip_bytes, size >= 2 * bytes ? data + bytes : data};
  find_candidates(tables, block, filter, candidates);
  BusyWords busy;
  gather_busy(candidates.words + kWarmUpWords, strip_bytes / kStepsPerWord, busy);
  return {bytes, first_match(tables, masks, block, center, busy)};
}

}  // namespace

std::size_t scan_vbmi(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                      std::size_t size, std::size_t center, std::uint64_t& hash) noexcept {
  constexpr std::size_t kBlockBytesMin = kStrips * kStripBytesMin;
  if (size < 2 * kHistoryBytes + kBlockBytesMin) {
    return scan_scalar(tables, masks, data, size, center, hash);
  }
  // The bytes that the given hash has a part in, and on to a cache line.
  std::size_t at = kHistoryBytes + (-reinterpret_cast<std::uintptr_t>(data)) % kHistoryBytes;
  if (const std::size_t found = scan_scalar(tables, masks, data, at, center, hash); found != at) {
    return found;
  }
  Candidates candidates;
  while (size - at >= kBlockBytesMin) {
    const std::size_t to_center = center > at ? center - at : 0;
    const Scanned some = scan_some(tables, masks, data + at, size - at, to_center, candidates);
    if (some.found != some.bytes) return at + some.found;
    at += some.bytes;
  }
  hash = window_hash(tables, data + at);
  return at + scan_scalar(tables, masks, data + at, size - at, center > at ? center - at : 0, hash);
}

}  // namespace chunker::cut
