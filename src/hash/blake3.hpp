#pragma once

#include <memory>

#include "chunker/digest.hpp"

namespace chunker::hash {

/// BLAKE3 with 32 bytes of output.
[[nodiscard]] Digest blake3(Bytes bytes) noexcept;

/// The same of bytes that arrive in pieces.
/// Owns:    its state.
/// Threads: movable.
/// Errors:  std::bad_alloc when it is made.
/// Cost:    that of the hash, for pieces of 16 KiB or more, which fill its lanes.
class Blake3Stream {
 public:
  Blake3Stream();
  Blake3Stream(Blake3Stream&&) noexcept;
  Blake3Stream& operator=(Blake3Stream&&) noexcept;
  ~Blake3Stream();

  void update(Bytes bytes) noexcept;
  /// The digest of all bytes so far; the stream then starts afresh.
  [[nodiscard]] Digest finish() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace chunker::hash
