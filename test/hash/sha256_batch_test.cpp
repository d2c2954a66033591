#include "hash/sha256_batch.hpp"

#include <gtest/gtest.h>

#include <random>

#include "chunker/hash.hpp"
#include "hash/cycle.hpp"
#include "hash/sha256.hpp"

namespace chunker::hash {
namespace {

std::vector<Sha256Kernel> kernels_here() {
  std::vector<Sha256Kernel> here;
  for (const Sha256Kernel& kernel : sha256_kernels()) {
    if (kernel.runs_on(base::detect_cpu_features())) here.push_back(kernel);
  }
  return here;
}

// Slices of one buffer, at every alignment, so that no digest is right by chance.
std::vector<Bytes> slices(const ByteBuffer& buffer, std::span<const std::size_t> sizes) {
  std::vector<Bytes> all;
  std::size_t at = 0;
  for (const std::size_t size : sizes) all.push_back(buffer.view().subspan(at++ % 251, size));
  return all;
}

void expect_openssl_agrees(const Sha256Kernel& kernel, std::span<const std::size_t> sizes) {
  static const ByteBuffer buffer = test::cycle251(3 << 20);
  const std::vector<Bytes> inputs = slices(buffer, sizes);
  std::vector<Digest> digests(inputs.size());
  sha256_batch(inputs, digests, kernel);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(digests[i], sha256(inputs[i]))
        << kernel.name << ": input " << i << " of " << inputs.size() << ", " << sizes[i];
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnEverySizeAroundTheBlocks) {
  for (const Sha256Kernel& kernel : kernels_here()) {
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size < 300; ++size) sizes.push_back(size);
    expect_openssl_agrees(kernel, sizes);
    for (const std::size_t size : sizes) expect_openssl_agrees(kernel, std::array{size, size});
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnAnyNumberOfInputs) {
  for (const Sha256Kernel& kernel : kernels_here()) {
    std::mt19937_64 engine(7);
    for (std::size_t count = 0; count < 40; ++count) {
      std::vector<std::size_t> sizes(count);
      for (std::size_t& size : sizes) size = engine() % 10'000;
      expect_openssl_agrees(kernel, sizes);
    }
  }
}

TEST(Sha256Batch, R8_2_AgreesWithOpenSslOnChunksOfAllSizes) {
  for (const Sha256Kernel& kernel : kernels_here()) {
    std::mt19937_64 engine(11);
    std::vector<std::size_t> sizes(31);
    for (std::size_t& size : sizes) size = (128 << 10) + engine() % (2 << 20);
    sizes.push_back(0);
    sizes.push_back(1);
    expect_openssl_agrees(kernel, sizes);
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
  EXPECT_EQ(choose_sha256_kernel(cpu), nullptr);
  cpu.sha_ni = true;
  EXPECT_EQ(choose_sha256_kernel(cpu), nullptr) << "the kernel is AVX code";
  cpu.avx2 = true;
  ASSERT_NE(choose_sha256_kernel(cpu), nullptr);
  EXPECT_EQ(choose_sha256_kernel(cpu)->name, "sha_ni");
}
#endif

}  // namespace
}  // namespace chunker::hash
