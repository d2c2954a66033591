#pragma once

#include <array>
#include <cstdint>

#include "chunker/recipe.hpp"
#include "cut/gear_kernel.hpp"

namespace chunker::cut {

/// The published gear table (gear_table.cpp).
extern const std::array<std::uint64_t, 256> kGearTable;

/// The table XORed with `seed`, in every shape.
[[nodiscard]] GearTables make_gear_tables(std::uint64_t seed) noexcept;

/// The published masks for an average and a normalization level: before the average a cut is made rarer by
/// as many bits as it is made more frequent behind it. `recipe` is valid.
[[nodiscard]] GearMasks gear_masks(const Recipe& recipe) noexcept;

}  // namespace chunker::cut
