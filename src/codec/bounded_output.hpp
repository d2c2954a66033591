#pragma once

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

namespace chunker::codec {

/// Where a decoder of unknown output writes: room behind what `output` holds, which grows as bytes come
/// and never beyond the limit. Unless finish() is reached, `output` goes back to what it was.
/// Owns:    nothing; borrows `output`.
/// Threads: confined.
/// Errors:  decompressed_too_large when a byte beyond the limit comes out.
/// Cost:    at most as much memory as twice what was decoded, or kFirstBytes.
class BoundedOutput {
 public:
  BoundedOutput(ByteBuffer& output, std::uint64_t bytes_max, std::size_t input_bytes) noexcept;
  ~BoundedOutput() { output_.resize(finished_ ? end_ : start_); }
  BoundedOutput(const BoundedOutput&) = delete;
  BoundedOutput& operator=(const BoundedOutput&) = delete;

  /// Where to write next; never empty. At the limit it is one spare byte, so that a decoder which has no
  /// more to give can say so, and one which has gives itself away.
  [[nodiscard]] MutableBytes room();
  /// The decoder put `count` bytes into the last room.
  [[nodiscard]] Result<void> wrote(std::size_t count);
  void finish() noexcept { finished_ = true; }

 private:
  void grow();

  ByteBuffer& output_;
  const std::size_t start_;
  const std::size_t limit_;  // As a size of `output_`.
  const std::size_t input_bytes_;
  std::size_t end_;
  bool finished_ = false;
  std::byte spare_{};
};

}  // namespace chunker::codec
