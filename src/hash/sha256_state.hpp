#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "hash/sha256_kernels.hpp"

// Where a SHA-256 begins and how it ends (FIPS 180-4, sections 5.1.1, 5.3.3 and 6.2.2).
namespace chunker::hash {

inline constexpr std::array<std::uint32_t, 8> kSha256InitialState = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/// The end of a message, padded: one block or two.
struct Sha256End {
  std::array<std::byte, 2 * kSha256BlockBytes> bytes;
  std::size_t block_count;

  /// `rest` is what follows the last whole block of a message of `message_bytes`.
  Sha256End(Bytes rest, std::uint64_t message_bytes) noexcept;
};

/// The digest that a state after the last block stands for.
[[nodiscard]] Digest sha256_digest_of(std::span<const std::uint32_t, 8> state) noexcept;

/// The widest kernel that is worth its while for so many messages. `kernels` are some that run here, narrow ones
/// first.
[[nodiscard]] const Sha256Kernel& sha256_kernel_for(std::span<const Sha256Kernel> kernels,
                                                    std::size_t message_count) noexcept;

/// Advances the lanes, at most as many as the kernel has, by the same number of blocks. Lanes that have no message
/// of their own repeat the first one's work, to no effect.
void sha256_advance(const Sha256Kernel& kernel, std::span<Sha256Lane* const> going,
                    std::size_t block_count) noexcept;

}  // namespace chunker::hash
