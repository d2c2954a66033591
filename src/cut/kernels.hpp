#pragma once

#include <span>
#include <string_view>

#include "base/cpu.hpp"
#include "chunker/error.hpp"
#include "cut/gear_kernel.hpp"

namespace chunker::cut {

/// One implementation of GearScan. All find the same cut points.
struct CutKernel {
  std::string_view name;
  GearScan scan;
  bool (*runs_on)(const base::CpuFeatures& cpu) noexcept;
};

/// The kernels in this build, scalar first.
[[nodiscard]] std::span<const CutKernel> kernels() noexcept;

/// The kernel for a processor: the one that is demanded by name, or the fastest if `demand` is empty. A
/// demand is met or refused, never quietly replaced.
/// Errors: invalid_argument for a name that no build knows; unsupported for a kernel that this build or
/// this processor lacks.
[[nodiscard]] Result<CutKernel> choose_kernel(const base::CpuFeatures& cpu,
                                              std::string_view demand);

}  // namespace chunker::cut
