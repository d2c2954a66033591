#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/cpu.hpp"
#include "delta/splitmix.hpp"

// Which windows are sampled, and what stands for each.
namespace chunker::delta {

inline constexpr std::uint32_t kLowFactor = 0x9e3779b1, kHighFactor = 0x85ebca77;
inline constexpr std::uint32_t kAddend = 0xc2b2ae3d;  // A window of zeros is none of the sample.
inline constexpr std::uint32_t kSampledBelow = std::uint32_t{1} << 25;  // One of 128.

template <class Word>
Word load(const std::uint8_t* from) noexcept {
  Word word;  // Little-endian, as all of chunker's platforms are.
  std::memcpy(&word, from, sizeof(word));
  return word;
}

/// Its first eight bytes decide whether a window is sampled: what a vector computes side by side, without tables.
inline std::uint32_t rank_of(const std::uint8_t* window) noexcept {
  return load<std::uint32_t>(window) * kLowFactor + load<std::uint32_t>(window + 4) * kHighFactor +
         kAddend;
}

inline std::uint64_t hash_of(const std::uint8_t* window) noexcept {
  return mixed(load<std::uint64_t>(window) * 0x9e3779b97f4a7c15 +
               load<std::uint64_t>(window + 8) * 0xc2b2ae3d27d4eb4f +
               load<std::uint64_t>(window + 16) * 0x165667b19e3779f9 +
               load<std::uint64_t>(window + 24) * 0x27d4eb2f165667c5);
}

/// Appends the hashes of the sampled ones among `count` windows; stops when there are `hashes_max`.
using WindowScan = void (*)(const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
                            std::vector<std::uint64_t>& hashes);

void scan_windows_portable(const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
                           std::vector<std::uint64_t>& hashes);
#if defined(__x86_64__)
void scan_windows_avx2(const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
                       std::vector<std::uint64_t>& hashes);
/// Only in builds with CHUNKER_WITH_AVX512. Needs base::CpuFeatures::avx512.
void scan_windows_avx512(const std::uint8_t* windows, std::size_t count, std::size_t hashes_max,
                         std::vector<std::uint64_t>& hashes);
#endif

/// The fastest scan that runs on `cpu`. All find the same windows, in different order.
[[nodiscard]] WindowScan choose_window_scan(const base::CpuFeatures& cpu) noexcept;

}  // namespace chunker::delta
