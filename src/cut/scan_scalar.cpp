#include "cut/gear_kernel.hpp"

// The plain loop, hash = 2 * hash + entry, waits for itself at every byte: shift and addition each need
// the result before. Here four bytes go in one step. Within a step the sums of entries do not need the
// hash at all, and the hash meets them once, so the chain is a shift and an addition per four bytes:
//   after byte 0: 2h + e0            tested as 8 * that = 16h + 8e0              against 8 * mask
//   after byte 1: 4h + 2e0 + e1      tested as 4 * that = 16h + 8e0 + 4e1        against 4 * mask
//   after byte 2: ...                tested as 2 * that = 16h + 8e0 + 4e1 + 2e2  against 2 * mask
//   after byte 3: 16h + 8e0 + 4e1 + 2e2 + e3, the new hash
// What is shifted out at the top is no loss: mask bits are below 2^48. Unrolling to sixteen bytes is worth
// another quarter with g++ 12. Figures: bench/RESULTS.md.
namespace chunker::cut {
namespace {

constexpr std::size_t kStepBytes = 4;
constexpr std::size_t kUnrolledBytes = 16;

// The index within the step of the first match, or kStepBytes.
[[gnu::always_inline]] inline std::size_t step(const GearTables& tables, std::uint64_t mask,
                                               const std::uint8_t* data,
                                               std::uint64_t& hash) noexcept {
  const std::uint64_t carried = hash << 4;
  const std::uint64_t sum0 = tables.shifted[3][data[0]];
  const std::uint64_t sum1 = sum0 + tables.shifted[2][data[1]];
  const std::uint64_t sum2 = sum1 + tables.shifted[1][data[2]];
  const std::uint64_t sum3 = sum2 + tables.shifted[0][data[3]];
  hash = carried + sum3;
  if (((carried + sum0) & (mask << 3)) == 0) [[unlikely]]
    return 0;
  if (((carried + sum1) & (mask << 2)) == 0) [[unlikely]]
    return 1;
  if (((carried + sum2) & (mask << 1)) == 0) [[unlikely]]
    return 2;
  if ((hash & mask) == 0) [[unlikely]]
    return 3;
  return kStepBytes;
}

std::size_t scan_one_mask(const GearTables& tables, std::uint64_t mask, const std::uint8_t* data,
                          std::size_t size, std::uint64_t& hash) noexcept {
  std::uint64_t h = hash;
  std::size_t i = 0;
  for (; size - i >= kUnrolledBytes; i += kUnrolledBytes) {
    const std::uint8_t* const p = data + i;
    if (const std::size_t k = step(tables, mask, p, h); k != kStepBytes) return i + k;
    if (const std::size_t k = step(tables, mask, p + 4, h); k != kStepBytes) return i + 4 + k;
    if (const std::size_t k = step(tables, mask, p + 8, h); k != kStepBytes) return i + 8 + k;
    if (const std::size_t k = step(tables, mask, p + 12, h); k != kStepBytes) return i + 12 + k;
  }
  for (; i < size; ++i) {
    h = (h << 1) + tables.shifted[0][data[i]];
    if ((h & mask) == 0) return i;
  }
  hash = h;
  return size;
}

}  // namespace

std::size_t scan_scalar(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                        std::size_t size, std::size_t center, std::uint64_t& hash) noexcept {
  if (center > size) center = size;
  const std::size_t found = scan_one_mask(tables, masks.before_center, data, center, hash);
  if (found != center) return found;
  return center + scan_one_mask(tables, masks.after_center, data + center, size - center, hash);
}

}  // namespace chunker::cut
