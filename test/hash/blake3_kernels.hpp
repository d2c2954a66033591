#pragma once

#include <cstddef>
#include <vector>

#include "base/cpu.hpp"
#include "hash/blake3_many.hpp"

// Names from inside the official C, whose sources this build compiled.
extern "C" {
std::size_t blake3_simd_degree(void);
#if defined(__x86_64__)
chunker::hash::Blake3Kernel blake3_hash_many_avx512, blake3_hash_many_avx2, blake3_hash_many_sse41,
    blake3_hash_many_sse2;
#elif defined(__aarch64__)
chunker::hash::Blake3Kernel blake3_hash_many_neon;
#endif
chunker::hash::Blake3Kernel blake3_hash_many_portable;
}

namespace chunker::test {

struct NamedBlake3Kernel {
  const char* name;
  std::size_t lane_count;
  hash::Blake3Kernel* hash_many;
};

/// All that this processor can run, narrow ones first; to link them, their assembly must have been built.
inline std::vector<NamedBlake3Kernel> blake3_kernels_here() {
  [[maybe_unused]] const base::CpuFeatures cpu = base::detect_cpu_features();
  std::vector<NamedBlake3Kernel> here{{"portable", 1, blake3_hash_many_portable}};
#if defined(__x86_64__)
  here.push_back({"sse2", 4, blake3_hash_many_sse2});
  if (cpu.sse41) here.push_back({"sse41", 4, blake3_hash_many_sse41});
  if (cpu.avx2) here.push_back({"avx2", 8, blake3_hash_many_avx2});
#if CHUNKER_WITH_AVX512
  if (cpu.avx512) here.push_back({"avx512", 16, blake3_hash_many_avx512});
#endif
#elif defined(__aarch64__)
  if (cpu.neon) here.push_back({"neon", 4, blake3_hash_many_neon});
#endif
  return here;
}

}  // namespace chunker::test
