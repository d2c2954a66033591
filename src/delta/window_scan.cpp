#include "delta/window_scan.hpp"

namespace chunker::delta {

void scan_windows_portable(const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
                           std::vector<std::uint64_t>& hashes) {
  for (std::size_t i = 0; i < count; ++i) {
    if (rank_of(windows + i) >= kSampledBelow) [[likely]]
      continue;
    if (hashes.size() == hashes_max) return;
    hashes.push_back(hash_of(windows + i));
  }
}

WindowScan choose_window_scan([[maybe_unused]] const base::CpuFeatures& cpu) noexcept {
#if CHUNKER_WITH_AVX512
  if (cpu.avx512) return scan_windows_avx512;
#endif
#if defined(__x86_64__)
  if (cpu.avx2) return scan_windows_avx2;
#endif
  return scan_windows_portable;
}

}  // namespace chunker::delta
