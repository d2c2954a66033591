#include "cut/kernels.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include "base/try.hpp"

namespace chunker::cut {
namespace {

bool runs_anywhere(const base::CpuFeatures&) noexcept { return true; }

#if CHUNKER_WITH_AVX512
bool has_vbmi(const base::CpuFeatures& cpu) noexcept { return cpu.avx512_vbmi; }
#elif defined(__aarch64__)
bool has_neon(const base::CpuFeatures& cpu) noexcept { return cpu.neon; }
#endif

// A later kernel is faster wherever it runs at all (bench/RESULTS.md).
constexpr CutKernel kKernels[] = {
    {"scalar", scan_scalar, runs_anywhere},
#if CHUNKER_WITH_AVX512
    {"avx512_vbmi", scan_vbmi, has_vbmi},
#elif defined(__aarch64__)
    {"neon", scan_neon, has_neon},
#endif
};

// Those of all builds, so that a name that is absent can be told from one that is wrong.
constexpr std::string_view kNames[] = {"scalar", "avx512_vbmi", "neon"};

}  // namespace

std::span<const CutKernel> kernels() noexcept { return kKernels; }

Result<CutKernel> choose_kernel(const base::CpuFeatures& cpu, std::string_view demand) {
  const CutKernel* fastest = nullptr;
  for (const CutKernel& kernel : kKernels) {
    if (demand == kernel.name && !kernel.runs_on(cpu)) {
      return base::fail(ErrorCode::unsupported, "this processor cannot run the demanded cut kernel",
                        Error::kNoOffset, std::string(demand));
    }
    if (demand == kernel.name) return kernel;
    if (kernel.runs_on(cpu)) fastest = &kernel;
  }
  if (demand.empty()) return *fastest;
  if (std::ranges::find(kNames, demand) != std::end(kNames)) {
    return base::fail(ErrorCode::unsupported, "this build does not have the demanded cut kernel",
                      Error::kNoOffset, std::string(demand));
  }
  return base::fail(ErrorCode::invalid_argument, "no cut kernel has this name", Error::kNoOffset,
                    std::string(demand));
}

}  // namespace chunker::cut
