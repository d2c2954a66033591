#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.hpp"

namespace chunker::hash {

/// One SHA-256 under way: its state so far, and the whole blocks that come next.
struct Sha256Lane {
  std::uint32_t state[8];
  const std::byte* next;
};

inline constexpr std::size_t kSha256BlockBytes = 64;

/// One way to advance four, two or one independent hashes by the same number of blocks.
struct Sha256Kernel {
  using Advance = void (*)(Sha256Lane* const* lanes, std::size_t block_count) noexcept;

  std::string_view name;
  Advance advance_four;
  Advance advance_two;
  Advance advance_one;
  bool (*runs_on)(const base::CpuFeatures& cpu) noexcept;
};

/// What this build has, best last. Empty on processors that we know nothing better for than OpenSSL.
[[nodiscard]] std::span<const Sha256Kernel> sha256_kernels() noexcept;

/// The best that runs on `cpu`; null where OpenSSL's one-by-one is.
[[nodiscard]] const Sha256Kernel* choose_sha256_kernel(const base::CpuFeatures& cpu) noexcept;

}  // namespace chunker::hash
