#pragma once

namespace chunker::base {

/// What this processor can do, as plain values, so that kernel choice is a pure function of them.
struct CpuFeatures {
  bool sse41 = false;
  bool avx2 = false;
  bool avx512 = false;       ///< F, BW, DQ and VL together.
  bool avx512_vbmi = false;  ///< with `avx512`, and VBMI2.
  bool sha_ni = false;
  bool neon = false;
  bool arm_sha2 = false;
};

/// Asks the processor. Threads: shared. Cost: a few hundred cycles; keep the answer.
[[nodiscard]] CpuFeatures detect_cpu_features() noexcept;

}  // namespace chunker::base
