#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "base/cpu.hpp"
#include "chunker/hash.hpp"
#include "hash/cycle.hpp"

// Names from inside the official C, whose sources this build compiled.
extern "C" {
std::size_t blake3_simd_degree(void);
using HashMany = void(const std::uint8_t* const* inputs, std::size_t num_inputs, std::size_t blocks,
                      const std::uint32_t key[8], std::uint64_t counter, bool increment_counter,
                      std::uint8_t flags, std::uint8_t flags_start, std::uint8_t flags_end,
                      std::uint8_t* out);
#if defined(__x86_64__)
HashMany blake3_hash_many_avx512, blake3_hash_many_avx2, blake3_hash_many_sse41;
#elif defined(__aarch64__)
HashMany blake3_hash_many_neon;
#endif
HashMany blake3_hash_many_portable;
}

namespace chunker {
namespace {

struct Kernel {
  std::size_t lane_count;
  HashMany* hash_many;
};

// The widest that this processor can run; to link it, its assembly must have been built.
Kernel widest() {
  [[maybe_unused]] const base::CpuFeatures cpu = base::detect_cpu_features();
#if defined(__x86_64__)
  if (cpu.avx512) return {16, blake3_hash_many_avx512};
  if (cpu.avx2) return {8, blake3_hash_many_avx2};
  if (cpu.sse41) return {4, blake3_hash_many_sse41};
#elif defined(__aarch64__)
  if (cpu.neon) return {4, blake3_hash_many_neon};
#endif
  return {1, blake3_hash_many_portable};
}

TEST(Blake3, R8_1_RunsTheWidestKernelThatTheProcessorHas) {
  EXPECT_EQ(blake3_simd_degree(), widest().lane_count);
}

TEST(Blake3, R8_1_TheWidestKernelIsBuiltInAndAgrees) {
  constexpr std::uint32_t kKey[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                     0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  constexpr std::uint8_t kChunkStart = 1, kChunkEnd = 2, kRoot = 8;
  const ByteBuffer chunk = test::cycle251(1024);
  const auto* input = reinterpret_cast<const std::uint8_t*>(chunk.data());
  Digest digest;
  widest().hash_many(&input, 1, 16, kKey, 0, false, 0, kChunkStart, kChunkEnd | kRoot,
                     reinterpret_cast<std::uint8_t*>(digest.bytes.data()));
  EXPECT_EQ(digest, HashAlgorithm::blake3().hash(chunk));
}

}  // namespace
}  // namespace chunker
