#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "chunker/hash.hpp"
#include "hash/blake3_kernels.hpp"
#include "hash/cycle.hpp"

namespace chunker {
namespace {

TEST(Blake3, R8_1_RunsTheWidestKernelThatTheProcessorHas) {
  EXPECT_EQ(blake3_simd_degree(), test::blake3_kernels_here().back().lane_count);
}

TEST(Blake3, R8_1_TheWidestKernelIsBuiltInAndAgrees) {
  constexpr std::uint32_t kKey[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                     0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  constexpr std::uint8_t kChunkStart = 1, kChunkEnd = 2, kRoot = 8;
  const ByteBuffer chunk = test::cycle251(1024);
  const auto* input = reinterpret_cast<const std::uint8_t*>(chunk.data());
  Digest digest;
  test::blake3_kernels_here().back().hash_many(
      &input, 1, 16, kKey, 0, false, 0, kChunkStart, kChunkEnd | kRoot,
      reinterpret_cast<std::uint8_t*>(digest.bytes.data()));
  EXPECT_EQ(digest, HashAlgorithm::blake3().hash(chunk));
}

}  // namespace
}  // namespace chunker
