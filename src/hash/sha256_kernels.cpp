#include "hash/sha256_kernels.hpp"

#include <algorithm>
#include <iterator>

#if defined(__x86_64__)
#include "hash/sha256_avx512.hpp"
#include "hash/sha256_ni.hpp"
#elif defined(__aarch64__)
#include "hash/sha256_arm.hpp"
#endif

namespace chunker::hash {
namespace {

#if defined(__x86_64__)
// AVX for the three-operand forms (sha256_ni.cpp).
bool has_sha_ni(const base::CpuFeatures& cpu) noexcept { return cpu.sha_ni && cpu.avx2; }
#elif defined(__aarch64__)
bool has_arm_sha2(const base::CpuFeatures& cpu) noexcept { return cpu.arm_sha2; }
#endif
#if defined(CHUNKER_WITH_AVX512)
bool has_both(const base::CpuFeatures& cpu) noexcept { return has_sha_ni(cpu) && cpu.avx512; }
#endif

}  // namespace

std::span<const Sha256Kernel> sha256_kernels() noexcept {
#if defined(__x86_64__)
  // A block of four SHA-NI lanes takes 75 ns, one of sixteen AVX-512 lanes 193 ns (Zen 5): from eleven messages
  // on it is better to leave five lanes idle.
  static constexpr Sha256Kernel kAll[] = {
      {"sha_ni_one", 1, 1, sha256_ni_one, has_sha_ni},
      {"sha_ni_two", 2, 2, sha256_ni_two, has_sha_ni},
      {"sha_ni_four", 4, 3, sha256_ni_four, has_sha_ni},
#if defined(CHUNKER_WITH_AVX512)
      {"avx512_sixteen", 16, 11, sha256_avx512_sixteen, has_both},
#endif
  };
  return kAll;
#elif defined(__aarch64__)
  static constexpr Sha256Kernel kAll[] = {
      {"arm_sha2_one", 1, 1, sha256_arm_one, has_arm_sha2},
      {"arm_sha2_two", 2, 2, sha256_arm_two, has_arm_sha2},
  };
  return kAll;
#else
  return {};
#endif
}

std::vector<Sha256Kernel> sha256_kernels_on(const base::CpuFeatures& cpu) {
  std::vector<Sha256Kernel> here;
  std::ranges::copy_if(sha256_kernels(), std::back_inserter(here),
                       [&](const Sha256Kernel& kernel) { return kernel.runs_on(cpu); });
  return here;
}

std::span<const Sha256Kernel> sha256_kernels_here() {
  static const auto kernels = sha256_kernels_on(base::detect_cpu_features());
  return kernels;
}

}  // namespace chunker::hash
