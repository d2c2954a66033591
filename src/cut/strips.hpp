#pragma once

#include <cstddef>
#include <cstdint>

#include "cut/gear_kernel.hpp"

// What gear kernels have in common that run along several strips of the input at once, with the cuts of scan_scalar.
//
// Strips. A block of input is some strips of equal length, one behind the other, and a 32-bit lane runs along each. The
// low 32 bits of a hash depend on 32 bytes, so each lane first runs over the 32 bytes before its strip; from there on
// its hash is right modulo 2^32.
//
// Candidates. A lane sees only 32 bits of a hash, so what passes is a candidate, gets its whole hash computed, and the
// first true match in the order of the input is the cut. A mask with few low bits makes too many candidates, and so
// does periodic input, whose windows are all alike: both are left to scan_scalar, the latter block by block.
//
// No function here is inline, for the reason that gear_kernel.hpp gives.
namespace chunker::cut {

inline constexpr std::size_t kStripWarmUpBytes = 32;
inline constexpr std::size_t kStripColumnBytes = 16;  ///< A strip is a multiple of this.
/// In a block: twice as many as chance would give.
inline constexpr std::size_t kPlacesPerCandidateMin = 128;

struct StripBlock {
  const std::uint8_t* data;  ///< Of the first strip; a window before it is readable.
  std::size_t strip_bytes;
  std::size_t bytes;         ///< Of all strips.
  const std::uint8_t* next;  ///< What to prefetch meanwhile.
  std::size_t center;        ///< Where the other mask begins to count, in the block.
  std::uint32_t
      filter;  ///< The low bits of the masks that count in it; of both, those that both have.
};

/// One way to search a block.
struct StripKernel {
  std::size_t strip_count;
  /// Longer strips have less to warm up, shorter ones less to throw away behind a cut.
  std::size_t strip_bytes_min, strip_bytes_max;
  /// The index in the block of the first true match, or its size.
  std::size_t (*first_match)(const GearTables& tables, const GearMasks& masks,
                             const StripBlock& block) noexcept;
};

/// A GearScan with such a kernel.
std::size_t scan_in_strips(const StripKernel& kernel, const GearTables& tables,
                           const GearMasks& masks, const std::uint8_t* data, std::size_t size,
                           std::size_t center, std::uint64_t& hash) noexcept;

/// The low 48 bits of the hash after the byte before `end`.
std::uint64_t window_hash(const GearTables& tables, const std::uint8_t* end) noexcept;

/// What the scalar loop finds in `size` bytes at `data`, with a window before them.
std::size_t scan_from_window(const GearTables& tables, const GearMasks& masks,
                             const std::uint8_t* data, std::size_t size,
                             std::size_t center) noexcept;

}  // namespace chunker::cut
