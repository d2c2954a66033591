#include "hash/sha256_kernels.hpp"

#if defined(__x86_64__)
#include "hash/sha256_ni.hpp"
#endif

namespace chunker::hash {
namespace {

#if defined(__x86_64__)
constexpr Sha256Kernel kKernels[] = {
    {"sha_ni", sha256_ni_four, sha256_ni_two, sha256_ni_one,
     [](const base::CpuFeatures& cpu) noexcept { return cpu.sha_ni && cpu.avx2; }},
};
constexpr std::span<const Sha256Kernel> kAll = kKernels;
#else
constexpr std::span<const Sha256Kernel> kAll;
#endif

}  // namespace

std::span<const Sha256Kernel> sha256_kernels() noexcept { return kAll; }

const Sha256Kernel* choose_sha256_kernel(const base::CpuFeatures& cpu) noexcept {
  const Sha256Kernel* best = nullptr;
  for (const Sha256Kernel& kernel : sha256_kernels()) {
    if (kernel.runs_on(cpu)) best = &kernel;
  }
  return best;
}

}  // namespace chunker::hash
