#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cut/strips.hpp"

// The gear hash along eight strips at once (strips.hpp), four in a register.
//
// Entries come from memory one by one, as in scalar code: looking bytes up in registers takes 64 of them for the low
// 32 bits of the table, and NEON has 32. What is saved is everything else: one addition, one test and no branch serve
// four strips. Two registers, because each step waits four cycles for the step before. Figures of this and of what was
// tried besides: bench/RESULTS.md, "Cutting on Arm".
namespace chunker::cut {
namespace {

constexpr std::size_t kStrips = 8;
constexpr std::size_t kStripBytesMin = 64, kStripBytesMax = 1056;
constexpr std::size_t kGroupBytes = 8;  // Columns between two looks at what passed.

struct Lanes {
  uint32x4_t front, back;  // Strips 0 to 3, and 4 to 7.
};

// Entry of byte `k` of a word, as two halves, low one first.
[[gnu::always_inline]] inline uint32x2_t look_up(const std::uint64_t* entries, std::uint64_t word,
                                                 int k) noexcept {
  return vld1_u32(reinterpret_cast<const std::uint32_t*>(entries + (word >> 8 * k & 255)));
}

// The low halves of the entries of byte `k` of four words.
[[gnu::always_inline]] inline uint32x4_t look_up_four(const std::uint64_t* entries,
                                                      const std::uint64_t* words, int k) noexcept {
  return vcombine_u32(vzip1_u32(look_up(entries, words[0], k), look_up(entries, words[1], k)),
                      vzip1_u32(look_up(entries, words[2], k), look_up(entries, words[3], k)));
}

// One group of every strip. A lane of what it returns is zero if its strip may have a match.
[[gnu::always_inline]] inline Lanes advance(const std::uint64_t* entries, const std::uint8_t* data,
                                            std::size_t strip_bytes, uint32x4_t filter,
                                            Lanes& hash) noexcept {
  std::uint64_t words[kStrips];
#pragma GCC unroll 8
  for (std::size_t s = 0; s < kStrips; ++s) {
    std::memcpy(&words[s], data + s * strip_bytes, kGroupBytes);
  }
  Lanes passed{vdupq_n_u32(~0U), vdupq_n_u32(~0U)};
#pragma GCC unroll 8
  for (int k = 0; k < static_cast<int>(kGroupBytes); ++k) {
    hash.front = vaddq_u32(vaddq_u32(hash.front, hash.front), look_up_four(entries, words, k));
    hash.back = vaddq_u32(vaddq_u32(hash.back, hash.back), look_up_four(entries, words + 4, k));
    passed.front = vandq_u32(passed.front, vtstq_u32(hash.front, filter));
    passed.back = vandq_u32(passed.back, vtstq_u32(hash.back, filter));
  }
  return passed;
}

std::size_t first_match(const GearTables& tables, const GearMasks& masks,
                        const StripBlock& block) noexcept {
  const std::size_t strip = block.strip_bytes;
  const uint32x4_t filter = vdupq_n_u32(block.filter);
  Lanes hash{vdupq_n_u32(0), vdupq_n_u32(0)};
  for (std::size_t at = 0; at < kStripWarmUpBytes; at += kGroupBytes) {
    advance(tables.shifted[0], block.data - kStripWarmUpBytes + at, strip, filter, hash);
  }
  std::size_t first = block.bytes;
  std::size_t left = block.bytes / kPlacesPerCandidateMin;
  for (std::size_t at = 0; at < strip; at += kGroupBytes) {
    const Lanes passed = advance(tables.shifted[0], block.data + at, strip, filter, hash);
    if (vminvq_u32(vandq_u32(passed.front, passed.back)) != 0) [[likely]]
      continue;
    std::uint32_t lanes[kStrips];
    vst1q_u32(lanes, passed.front);
    vst1q_u32(lanes + 4, passed.back);
    for (std::size_t index = at, s = 0; s < kStrips && index < first; ++s, index += strip) {
      if (lanes[s] != 0) continue;
      if (left-- == 0) {
        return scan_from_window(tables, masks, block.data, block.bytes, block.center);
      }
      const std::size_t found = scan_from_window(tables, masks, block.data + index, kGroupBytes,
                                                 block.center > index ? block.center - index : 0);
      if (found != kGroupBytes) first = index + found;
    }
  }
  return first;
}

}  // namespace

std::size_t scan_neon(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                      std::size_t size, std::size_t center, std::uint64_t& hash) noexcept {
  static constexpr StripKernel kKernel{kStrips, kStripBytesMin, kStripBytesMax, first_match};
  return scan_in_strips(kKernel, tables, masks, data, size, center, hash);
}

}  // namespace chunker::cut
