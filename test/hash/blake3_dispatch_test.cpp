#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "base/cpu.hpp"
#include "chunker/hash.hpp"
#include "hash/cycle.hpp"

extern "C" {
std::size_t blake3_simd_degree(void);
#if defined(__x86_64__)
void blake3_hash_many_avx512(const std::uint8_t* const* inputs, std::size_t num_inputs,
                             std::size_t blocks, const std::uint32_t key[8], std::uint64_t counter,
                             bool increment_counter, std::uint8_t flags, std::uint8_t flags_start,
                             std::uint8_t flags_end, std::uint8_t* out);
#endif
}

namespace chunker {
namespace {

// How many blocks the code that BLAKE3 picked for this processor hashes side by side.
TEST(Blake3, R8_1_RunsTheWidestKernelThatTheProcessorHas) {
  const base::CpuFeatures cpu = base::detect_cpu_features();
  const std::size_t lanes = cpu.avx512 ? 16 : cpu.avx2 ? 8 : cpu.sse41 || cpu.neon ? 4 : 0;
  if (lanes == 0) GTEST_SKIP() << "no wide registers that we know of";
  EXPECT_EQ(blake3_simd_degree(), lanes);
}

#if defined(__x86_64__)
// The assembly was linked, not the plain C of the same name: it gives the chaining value of a whole
// chunk.
TEST(Blake3, R8_1_TheAvx512AssemblyIsBuiltIn) {
  if (!base::detect_cpu_features().avx512) GTEST_SKIP() << "no AVX-512 here";
  constexpr std::uint32_t kKey[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                     0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  constexpr std::uint8_t kChunkStart = 1, kChunkEnd = 2, kRoot = 8;
  const ByteBuffer chunk = test::cycle251(1024);
  const auto* input = reinterpret_cast<const std::uint8_t*>(chunk.data());
  Digest digest;
  blake3_hash_many_avx512(&input, 1, 16, kKey, 0, false, 0, kChunkStart, kChunkEnd | kRoot,
                          reinterpret_cast<std::uint8_t*>(digest.bytes.data()));
  EXPECT_EQ(digest, HashAlgorithm::blake3().hash(chunk));
}
#endif

}  // namespace
}  // namespace chunker
