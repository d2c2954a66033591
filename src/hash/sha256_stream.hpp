#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "hash/sha256_kernels.hpp"
#include "hash/sha256_state.hpp"

namespace chunker::hash {

/// A SHA-256 of bytes that arrive in pieces, by our own kernels: so that several can go on side by side.
class Sha256Progress {
 public:
  /// The next piece of each stream, all different, side by side as far as they have blocks left. Errors:
  /// std::bad_alloc, and then all are as they were.
  static void update_many(std::span<Sha256Progress* const> streams, std::span<const Bytes> pieces,
                          std::span<const Sha256Kernel> kernels);

  /// The digest of all bytes so far; then it starts afresh. `one` has one lane.
  [[nodiscard]] Digest finish(const Sha256Kernel& one) noexcept;

 private:
  [[nodiscard]] Bytes complete_open_block(Bytes piece, const Sha256Kernel& one) noexcept;
  void open_block(Bytes rest) noexcept;
  [[nodiscard]] std::size_t open_bytes() const noexcept { return bytes_ % kSha256BlockBytes; }

  std::array<std::uint32_t, 8> state_ = kSha256InitialState;
  std::uint64_t bytes_ = 0;                        // So far, those of the open block included.
  std::array<std::byte, kSha256BlockBytes> open_;  // The first open_bytes() of a block.
};

}  // namespace chunker::hash
