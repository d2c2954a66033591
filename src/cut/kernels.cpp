#include "cut/kernels.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/try.hpp"

namespace chunker::cut {
namespace {

bool runs_anywhere(const base::CpuFeatures&) noexcept { return true; }

constexpr std::array kKernels = {
    CutKernel{"scalar", scan_scalar, runs_anywhere},
};
constexpr std::array<std::string_view, 1> kNames = {"scalar"};

}  // namespace

std::span<const CutKernel> kernels() noexcept { return kKernels; }

Result<CutKernel> choose_kernel(const base::CpuFeatures& cpu, std::string_view demand) {
  // Later kernels are faster wherever they run at all.
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
  if (std::ranges::find(kNames, demand) != kNames.end()) {
    return base::fail(ErrorCode::unsupported, "this build does not have the demanded cut kernel",
                      Error::kNoOffset, std::string(demand));
  }
  return base::fail(ErrorCode::invalid_argument, "no cut kernel has this name", Error::kNoOffset,
                    std::string(demand));
}

}  // namespace chunker::cut
