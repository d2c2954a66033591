#include "hash/sha256_batch.hpp"

#include <gtest/gtest.h>

#include <random>

#include "chunker/hash.hpp"
#include "hash/cycle.hpp"
#include "hash/sha256.hpp"

namespace chunker::hash {
namespace {

// Every kernel of this processor alone, whatever the number of messages, and all together.
std::vector<std::vector<Sha256Kernel>> kernel_sets() {
  const std::vector<Sha256Kernel> here = sha256_kernels_on(base::detect_cpu_features());
  std::vector<std::vector<Sha256Kernel>> sets;
  for (Sha256Kernel alone : here) {
    alone.busy_lanes_min = 0;
    sets.push_back({alone});
  }
  if (!here.empty()) sets.push_back(here);
  return sets;
}

// Slices of one buffer, at every alignment, so that no digest is right by chance.
std::vector<Bytes> slices(const ByteBuffer& buffer, std::span<const std::size_t> sizes) {
  std::vector<Bytes> all;
  std::size_t at = 0;
  for (const std::size_t size : sizes) all.push_back(buffer.view().subspan(at++ % 251, size));
  return all;
}

void expect_openssl_agrees(std::span<const Sha256Kernel> kernels,
                           std::span<const std::size_t> sizes) {
  static const ByteBuffer buffer = test::cycle251(3 << 20);
  const std::vector<Bytes> inputs = slices(buffer, sizes);
  std::vector<Digest> digests(inputs.size());
  sha256_batch(inputs, digests, kernels);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(digests[i], sha256(inputs[i]))
        << kernels.back().name << ": input " << i << " of " << inputs.size() << ", " << sizes[i];
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnEverySizeAroundTheBlocks) {
  for (const auto& kernels : kernel_sets()) {
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size < 300; ++size) sizes.push_back(size);
    expect_openssl_agrees(kernels, sizes);
    for (const std::size_t size : sizes) expect_openssl_agrees(kernels, std::array{size, size});
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnAnyNumberOfInputs) {
  for (const auto& kernels : kernel_sets()) {
    std::mt19937_64 engine(7);
    for (std::size_t count = 0; count < 40; ++count) {
      std::vector<std::size_t> sizes(count);
      for (std::size_t& size : sizes) size = engine() % 10'000;
      expect_openssl_agrees(kernels, sizes);
    }
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnChunksOfAllSizes) {
  for (const auto& kernels : kernel_sets()) {
    std::mt19937_64 engine(11);
    std::vector<std::size_t> sizes(31);
    for (std::size_t& size : sizes) size = (128 << 10) + engine() % (2 << 20);
    sizes.push_back(0);
    sizes.push_back(1);
    expect_openssl_agrees(kernels, sizes);
  }
}

TEST(Sha256Batch, R8_2_TheAlgorithmUsesTheBatch) {
  const ByteBuffer buffer = test::cycle251(100'000);
  const std::vector<Bytes> inputs = {buffer, buffer.view().first(77), {}, buffer.view().last(64)};
  std::vector<Digest> digests(inputs.size());
  HashAlgorithm::sha256().hash_many(inputs, digests);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(digests[i], HashAlgorithm::sha256().hash(inputs[i])) << i;
  }
}

#if defined(__x86_64__)
TEST(Sha256Kernels, R8_2_ShaNiIsChosenWhereTheProcessorHasIt) {
  base::CpuFeatures cpu;
  EXPECT_TRUE(sha256_kernels_on(cpu).empty());
  cpu.avx512 = cpu.avx2 = true;
  EXPECT_TRUE(sha256_kernels_on(cpu).empty()) << "few messages need SHA-NI";
  cpu.avx512 = false;
  cpu.sha_ni = true;
  ASSERT_EQ(sha256_kernels_on(cpu).size(), 3U);
  EXPECT_EQ(sha256_kernels_on(cpu).back().name, "sha_ni_four");
  cpu.avx2 = false;
  EXPECT_TRUE(sha256_kernels_on(cpu).empty()) << "the kernels are AVX code";
}
#elif defined(__aarch64__)
TEST(Sha256Kernels, R8_2_ArmSha2IsChosenWhereTheProcessorHasIt) {
  base::CpuFeatures cpu;
  cpu.neon = true;
  EXPECT_TRUE(sha256_kernels_on(cpu).empty()) << "NEON alone has no SHA-256";
  cpu.arm_sha2 = true;
  ASSERT_EQ(sha256_kernels_on(cpu).size(), 2U);
  EXPECT_EQ(sha256_kernels_on(cpu).back().name, "arm_sha2_two");
}
#endif

TEST(Sha256Kernels, TheirNumbersFitTogether) {
  std::size_t busy_lanes_min = 0, lane_count = 0;
  for (const Sha256Kernel& kernel : sha256_kernels()) {
    EXPECT_GT(kernel.busy_lanes_min, busy_lanes_min) << kernel.name;
    EXPECT_GT(kernel.lane_count, lane_count) << kernel.name;
    EXPECT_LE(kernel.lane_count, kSha256LanesMax) << kernel.name;
    EXPECT_LE(kernel.busy_lanes_min, kernel.lane_count) << kernel.name;
    busy_lanes_min = kernel.busy_lanes_min;
    lane_count = kernel.lane_count;
  }
}

}  // namespace
}  // namespace chunker::hash
