#include "cut/kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "cut/cuts.hpp"
#include "cut/gear.hpp"
#include "cut/vectors.hpp"

namespace chunker::cut {
namespace {

struct Found {
  std::size_t index;
  std::uint64_t hash;
};

// The definition, byte by byte.
Found scan_slowly(const GearTables& tables, const GearMasks& masks, Bytes bytes, std::size_t center,
                  std::uint64_t hash) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    hash = 2 * hash + tables.shifted[0][static_cast<std::uint8_t>(bytes[i])];
    if ((hash & (i < center ? masks.before_center : masks.after_center)) == 0) return {i, hash};
  }
  return {bytes.size(), hash};
}

void expect_same(const CutKernel& kernel, const GearMasks& masks, Bytes bytes, std::size_t center,
                 std::uint64_t hash) {
  static const GearTables tables = make_gear_tables(0);
  const Found slow = scan_slowly(tables, masks, bytes, center, hash);
  std::uint64_t after = hash;
  const std::size_t index =
      kernel.scan(tables, masks, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                  center, after);
  ASSERT_EQ(index, slow.index) << kernel.name << " size " << bytes.size() << " center " << center;
  if (index == bytes.size()) {
    // Only the low 48 bits of a hash can ever decide a cut.
    ASSERT_EQ(after << 16, slow.hash << 16) << kernel.name << " size " << bytes.size();
  }
}

TEST(CutKernels, AgreeWithTheDefinitionAroundEverySmallSize) {
  const auto input = make_input("xorshift", 400);
  for (const CutKernel& kernel : kernels_here()) {
    for (std::size_t begin = 0; begin < 5; ++begin) {
      for (std::size_t size = 0; size + begin <= 300; ++size) {
        const Bytes bytes = Bytes(input).subspan(begin, size);
        expect_same(kernel, {0x300000, 0x18035100}, bytes, size / 3, 12345);
        expect_same(kernel, {~0ULL >> 16, 0xd93777577000}, bytes, size, 0);
      }
    }
  }
}

// A mask of 17 bits in large blocks: hits everywhere in the block, in every strip and next to its borders.
TEST(CutKernels, AgreeWithTheDefinitionOnLargeInputs) {
  std::mt19937_64 random(7);
  const auto noise = make_input("xorshift", 1 << 20);
  for (const CutKernel& kernel : kernels_here()) {
    for (int round = 0; round < 1500; ++round) {
      const std::size_t begin = random() % 4000;
      const std::size_t size = random() % 60000;
      const GearMasks masks{0xd90707537000, round % 2 == 0 ? 0xd90303530000U : 0xd90303537000U};
      const std::size_t center = random() % 3 == 0 ? 0 : random() % 60000;
      expect_same(kernel, masks, Bytes(noise).subspan(begin + random() % 900000, size), center,
                  random());
    }
  }
}

TEST(CutKernels, AgreeWithTheDefinitionOnPeriodicData) {
  const GearMasks masks{0xd91747537000, 0xd90707537000};
  for (const std::string kind : {"zeros", "period2", "cycle251", "nibbles"}) {
    const auto input = make_input(kind, 200003);
    for (const CutKernel& kernel : kernels_here()) {
      for (const std::size_t size : {9999U, 65537U, 200003U}) {
        expect_same(kernel, masks, Bytes(input).first(size), size / 2, 1);
      }
    }
  }
}

std::uint64_t lowest_bits(std::uint64_t value, int count) {
  std::uint64_t bits = 0;
  for (; count > 0; --count, value &= value - 1) bits |= value & (~value + 1);
  return bits;
}

// A mask that every place in a run of zeros passes by its low 32 bits and none by the rest, while noise
// matches once in 2048 bytes: true matches amid floods of false candidates.
TEST(CutKernels, AFloodOfFalseCandidatesHidesNoMatch) {
  const std::uint64_t steady_hash = 0 - make_gear_tables(0).shifted[0][0];  // h = 2h + entry
  const std::uint64_t mask =
      lowest_bits(~steady_hash & 0xffffffff, 10) | lowest_bits(steady_hash & 0xffff00000000, 1);
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> input(30000);
    for (int island = 0; island < 3; ++island) {
      const auto noise = xorshift(300, random() | 1);
      std::ranges::copy(noise, input.begin() + static_cast<std::ptrdiff_t>(random() % 29700));
    }
    for (const CutKernel& kernel : kernels_here()) {
      expect_same(kernel, {mask, mask}, input, random() % 30000, steady_hash);
    }
  }
}

TEST(CutKernels, ADemandIsMetOrRefusedForItsReason) {
  const base::CpuFeatures bare{};
  EXPECT_EQ(choose_kernel(bare, "")->name, "scalar");
  EXPECT_EQ(choose_kernel(bare, "scalar")->name, "scalar");
  EXPECT_EQ(choose_kernel(bare, "quantum").error().code, ErrorCode::invalid_argument);
  base::CpuFeatures everything{};
  everything.avx2 = everything.avx512 = everything.avx512_vbmi = everything.neon = true;
  EXPECT_EQ(choose_kernel(everything, "")->name, kernels().back().name);
  EXPECT_EQ(choose_kernel(everything, "scalar")->name, "scalar");
  // Known everywhere, but neither this build nor a bare processor may have it.
  EXPECT_EQ(choose_kernel(bare, "avx512_vbmi").error().code, ErrorCode::unsupported);
  EXPECT_EQ(choose_kernel(bare, "neon").error().code, ErrorCode::unsupported);
}

#if defined(__aarch64__)
TEST(CutKernels, R8_4_EveryAarch64CutsWithNeon) {
  EXPECT_EQ(choose_kernel(base::detect_cpu_features(), "")->name, "neon");
}
#endif

}  // namespace
}  // namespace chunker::cut
