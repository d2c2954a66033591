#include "cut/gear.hpp"

#include "cut/params.hpp"

namespace chunker::cut {
namespace {

// Entry b has b bits; 5 is the least that valid recipes reach (256 bytes, level 3), 25 the most.
constexpr std::array<std::uint64_t, 26> kMasks = {
    0,
    0,
    0,
    0,
    0,
    0x0000000001804110,
    0x0000000001803110,
    0x0000000018035100,
    0x0000001800035300,
    0x0000019000353000,
    0x0000590003530000,
    0x0000d90003530000,
    0x0000d90103530000,
    0x0000d90303530000,
    0x0000d90313530000,
    0x0000d90f03530000,
    0x0000d90303537000,
    0x0000d90703537000,
    0x0000d90707537000,
    0x0000d91707537000,
    0x0000d91747537000,
    0x0000d91767537000,
    0x0000d93767537000,
    0x0000d93777537000,
    0x0000d93777577000,
    0x0000db3777577000,
};

}  // namespace

GearTables make_gear_tables(std::uint64_t seed) noexcept {
  GearTables tables{};
  for (std::size_t byte = 0; byte < kGearTable.size(); ++byte) {
    const std::uint64_t entry = kGearTable[byte] ^ seed;
    for (unsigned k = 0; k < 4; ++k) {
      tables.shifted[k][byte] = entry << k;
      tables.planes[k][byte] = static_cast<std::uint8_t>(entry >> (8 * k));
    }
  }
  return tables;
}

GearMasks gear_masks(const Recipe& recipe) noexcept {
  const unsigned bits = rounded_log2(recipe.avg_bytes);
  return {.before_center = kMasks[bits + recipe.normalization],
          .after_center = kMasks[bits - recipe.normalization]};
}

}  // namespace chunker::cut
