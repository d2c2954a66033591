#pragma once

#include <cstddef>
#include <cstdint>

// What a gear kernel sees: plain data, no inline function. A kernel may be compiled for a processor that
// the rest of the program does not need, and an inline function that it instantiates could be the copy
// that the linker keeps for everyone.
namespace chunker::cut {

/// One seed's gear table, in the shapes that the kernels read.
struct GearTables {
  /// `shifted[k][b]` is entry b shifted left by k.
  alignas(64) std::uint64_t shifted[4][256];
  /// `planes[k][b]` is byte k of entry b, counted from the lowest.
  alignas(64) std::uint8_t planes[4][256];
};

/// What a cut depends on: the last so many bytes of its chunk, and no others.
inline constexpr std::size_t kWindowBytes = 48;

/// A cut is where the hash has none of the mask's bits. All bits are below 2^48, so a cut depends on the
/// last 48 bytes at most.
struct GearMasks {
  std::uint64_t before_center;
  std::uint64_t after_center;
};

/// Mixes `size` bytes at `data` into `hash`, one after the other, by hash = 2 * hash + entry.
/// Returns the index of the first byte after which the hash has none of the mask's bits, or `size`.
/// Bytes before index `center` are tested with one mask, the others with the other. `hash` is the hash
/// after the last byte if nothing was found, and of no meaning otherwise.
using GearScan = std::size_t (*)(const GearTables& tables, const GearMasks& masks,
                                 const std::uint8_t* data, std::size_t size, std::size_t center,
                                 std::uint64_t& hash) noexcept;

std::size_t scan_scalar(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                        std::size_t size, std::size_t center, std::uint64_t& hash) noexcept;

/// For processors with AVX-512 F, BW, DQ and VBMI; only in builds for x86-64 (CHUNKER_WITH_AVX512).
std::size_t scan_vbmi(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                      std::size_t size, std::size_t center, std::uint64_t& hash) noexcept;

/// For aarch64, and only in builds for it.
std::size_t scan_neon(const GearTables& tables, const GearMasks& masks, const std::uint8_t* data,
                      std::size_t size, std::size_t center, std::uint64_t& hash) noexcept;

}  // namespace chunker::cut
