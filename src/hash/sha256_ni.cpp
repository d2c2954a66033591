#include "hash/sha256_ni.hpp"

#include <immintrin.h>

#include "hash/sha256_interleaved.hpp"

// A SHA-256 is one long chain: each pair of rounds waits for the pair before, four cycles, while the unit that
// computes it could begin another every second cycle. Independent messages fill the gaps, so four side by side
// take little longer than one.
//
// sha256rnds2 keeps the eight words of the state as two registers, A B E F and C D G H. Four lanes need more than
// the sixteen registers; with AVX's three-operand forms both compilers spill little enough (without, clang's four
// lanes were slower than its two).
namespace chunker::hash {
namespace {

struct Lane {
  __m128i abef, cdgh;
  __m128i abef_before, cdgh_before;
  __m128i words[4];  // Sixteen words of the message schedule, in a ring.
  const std::byte* next;
};

CHUNKER_SHA256_INLINE void load(const Sha256Lane& from, Lane& lane) {
  const __m128i abcd = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from.state));
  const __m128i efgh = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from.state + 4));
  const __m128i badc = _mm_shuffle_epi32(abcd, 0xB1), hgfe = _mm_shuffle_epi32(efgh, 0x1B);
  lane.abef = _mm_alignr_epi8(badc, hgfe, 8);
  lane.cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);
  lane.next = from.next;
}

CHUNKER_SHA256_INLINE void store(const Lane& lane, Sha256Lane& to) {
  const __m128i feba = _mm_shuffle_epi32(lane.abef, 0x1B),
                dchg = _mm_shuffle_epi32(lane.cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to.state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to.state + 4), _mm_alignr_epi8(dchg, feba, 8));
  to.next = lane.next;
}

CHUNKER_SHA256_INLINE void begin_block(Lane& lane) {
  lane.abef_before = lane.abef;
  lane.cdgh_before = lane.cdgh;
}

CHUNKER_SHA256_INLINE void end_block(Lane& lane) {
  lane.abef = _mm_add_epi32(lane.abef, lane.abef_before);
  lane.cdgh = _mm_add_epi32(lane.cdgh, lane.cdgh_before);
  lane.next += kSha256BlockBytes;
}

// Rounds 4 * group to 4 * group + 3, and the part of the message schedule that can go with them. `group` is a
// constant wherever this is inlined, so every condition and index disappears.
CHUNKER_SHA256_INLINE void four_rounds(Lane& lane, const int group) {
  __m128i* const words = lane.words;
  const int here = group & 3, after = (group + 1) & 3, before = (group + 3) & 3;
  if (group < 4) {
    const __m128i big_endian = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    words[here] = _mm_shuffle_epi8(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(lane.next + 16 * group)), big_endian);
  }
  const __m128i sum = _mm_add_epi32(
      words[here],
      _mm_load_si128(reinterpret_cast<const __m128i*>(kSha256RoundConstants + 4 * group)));
  lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, sum);
  if (group >= 3 && group < 15) {
    const __m128i shifted = _mm_alignr_epi8(words[here], words[before], 4);
    words[after] = _mm_sha256msg2_epu32(_mm_add_epi32(words[after], shifted), words[here]);
  }
  lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, _mm_shuffle_epi32(sum, 0x0E));
  if (group >= 1 && group < 13) words[before] = _mm_sha256msg1_epu32(words[before], words[here]);
}

}  // namespace

// sha256rnds2 has no VEX form: registers that AVX code left wide slow it by a quarter, so they are cleared first.
[[CHUNKER_SHA256_TARGET]] void sha256_ni_four(Sha256Lane* const* lanes,
                                              std::size_t block_count) noexcept {
  _mm256_zeroupper();
  advance_interleaved<Lane>(lanes, block_count, 4);
}

[[CHUNKER_SHA256_TARGET]] void sha256_ni_two(Sha256Lane* const* lanes,
                                             std::size_t block_count) noexcept {
  _mm256_zeroupper();
  advance_interleaved<Lane>(lanes, block_count, 2);
}

[[CHUNKER_SHA256_TARGET]] void sha256_ni_one(Sha256Lane* const* lanes,
                                             std::size_t block_count) noexcept {
  _mm256_zeroupper();
  advance_interleaved<Lane>(lanes, block_count, 1);
}

}  // namespace chunker::hash
