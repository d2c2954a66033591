#include "hash/sha256_arm.hpp"

#include <arm_neon.h>

#include "hash/sha256_interleaved.hpp"

// Four rounds are a pair of instructions that take four cycles and wait for the pair before. Most processors can begin
// one SHA-256 instruction a cycle and a block has 56, so two hashes side by side keep that unit busy; four only spill
// (bench/RESULTS.md, "Hashing").
namespace chunker::hash {
namespace {

struct Lane {
  uint32x4_t abcd, efgh;
  uint32x4_t abcd_before, efgh_before;
  uint32x4_t words[4];  // Sixteen words of the message schedule, in a ring.
  const std::byte* next;
};

CHUNKER_SHA256_INLINE void load(const Sha256Lane& from, Lane& lane) {
  lane.abcd = vld1q_u32(from.state);
  lane.efgh = vld1q_u32(from.state + 4);
  lane.next = from.next;
}

CHUNKER_SHA256_INLINE void store(const Lane& lane, Sha256Lane& to) {
  vst1q_u32(to.state, lane.abcd);
  vst1q_u32(to.state + 4, lane.efgh);
  to.next = lane.next;
}

CHUNKER_SHA256_INLINE uint32x4_t load_be(const std::byte* from) {
  return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(from))));
}

CHUNKER_SHA256_INLINE void begin_block(Lane& lane) {
  lane.abcd_before = lane.abcd;
  lane.efgh_before = lane.efgh;
  lane.words[0] = load_be(lane.next);
  lane.words[1] = load_be(lane.next + 16);
  lane.words[2] = load_be(lane.next + 32);
  lane.words[3] = load_be(lane.next + 48);
  lane.next += kSha256BlockBytes;
}

CHUNKER_SHA256_INLINE void end_block(Lane& lane) {
  lane.abcd = vaddq_u32(lane.abcd, lane.abcd_before);
  lane.efgh = vaddq_u32(lane.efgh, lane.efgh_before);
}

// Rounds 4 * group to 4 * group + 3; the four words that they used make room for those of four groups later.
CHUNKER_SHA256_INLINE void four_rounds(Lane& lane, const int group) {
  uint32x4_t& words = lane.words[group & 3];
  const uint32x4_t sum = vaddq_u32(words, vld1q_u32(kSha256RoundConstants + 4 * group));
  const uint32x4_t abcd = lane.abcd;
  lane.abcd = vsha256hq_u32(abcd, lane.efgh, sum);
  lane.efgh = vsha256h2q_u32(lane.efgh, abcd, sum);
  if (group < 12) {
    words = vsha256su1q_u32(vsha256su0q_u32(words, lane.words[(group + 1) & 3]),
                            lane.words[(group + 2) & 3], lane.words[(group + 3) & 3]);
  }
}

}  // namespace

[[CHUNKER_SHA256_TARGET]] void sha256_arm_two(Sha256Lane* const* lanes,
                                              std::size_t block_count) noexcept {
  advance_interleaved<Lane>(lanes, block_count, 2);
}

[[CHUNKER_SHA256_TARGET]] void sha256_arm_one(Sha256Lane* const* lanes,
                                              std::size_t block_count) noexcept {
  advance_interleaved<Lane>(lanes, block_count, 1);
}

}  // namespace chunker::hash
