#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "chunker/bytes.hpp"

namespace chunker::cut {

/// The last bytes of a stream, kept because they may be scanned again.
class Tail {
 public:
  /// The stream begins at `offset_bytes`.
  explicit Tail(std::uint64_t offset_bytes) noexcept : end_(offset_bytes) {}

  /// Where what is kept begins.
  [[nodiscard]] std::uint64_t begin() const noexcept { return end_ - (bytes_.size() - dropped_); }
  /// What is kept from `offset` on; at least that much must have been kept.
  [[nodiscard]] Bytes from(std::uint64_t offset) const noexcept;
  /// `piece` follows what went before. Forgets everything before `offset`, which never goes back.
  /// Cost: constant per byte of `piece` that is kept, over many calls.
  void keep_from(std::uint64_t offset, Bytes piece);

 private:
  std::vector<std::byte> bytes_;  // the first `dropped_` of them are forgotten
  std::size_t dropped_ = 0;
  std::uint64_t end_;
};

}  // namespace chunker::cut
