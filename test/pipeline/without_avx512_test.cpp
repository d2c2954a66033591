#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "base/cpu.hpp"
#include "cut/kernels.hpp"
#include "hash/sha256_kernels.hpp"

// A build with CHUNKER_WITH_AVX512=OFF. Configuring and building one takes minutes; it differs from this one in the
// lists of kernels, which this program compiles anew, and in BLAKE3's dispatcher. The other files of the program are
// the tests of the golden vectors, which all have to hold here, too.
namespace chunker {
namespace {

constexpr base::CpuFeatures kEverything{.sse41 = true,
                                        .avx2 = true,
                                        .avx512 = true,
                                        .avx512_vbmi = true,
                                        .sha_ni = true,
                                        .neon = true,
                                        .arm_sha2 = true};

bool is_avx512(std::string_view name) { return name.starts_with("avx512"); }

TEST(WithoutAvx512, R8_5_NoKernelIsLeft) {
  EXPECT_TRUE(std::ranges::none_of(cut::kernels(), is_avx512, &cut::CutKernel::name));
  EXPECT_TRUE(std::ranges::none_of(hash::sha256_kernels(), is_avx512, &hash::Sha256Kernel::name));
}

TEST(WithoutAvx512, R8_5_AProcessorThatHasItGetsTheNextBestKernel) {
  EXPECT_FALSE(is_avx512(cut::choose_kernel(kEverything, "")->name));
  for (const auto& kernel : hash::sha256_kernels_on(kEverything)) {
    EXPECT_FALSE(is_avx512(kernel.name));
  }
}

TEST(WithoutAvx512, R8_5_ADemandIsRefusedBecauseOfTheBuild) {
  const auto demanded = cut::choose_kernel(kEverything, "avx512_vbmi");
  ASSERT_FALSE(demanded);
  EXPECT_EQ(demanded.error().code, ErrorCode::unsupported);
  EXPECT_EQ(demanded.error().what, "this build does not have the demanded cut kernel");
}

}  // namespace
}  // namespace chunker
