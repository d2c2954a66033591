#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

/// A chunk and its bytes, borrowed.
struct ChunkBytes {
  Digest digest;
  Bytes bytes;
};

/// What became of some new chunks.
struct StoredBytes {
  std::uint64_t chunks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;

  StoredBytes& operator+=(const StoredBytes& other) noexcept {
    chunks += other.chunks;
    raw_bytes += other.raw_bytes;
    stored_bytes += other.stored_bytes;
    return *this;
  }
};

/// Compresses new chunks, several small ones together, and puts the frames.
/// Owns:    its buffers and codec contexts.
/// Threads: movable; one per worker.
/// Errors:  codec_failed, io_*; the writer is failed then, since its claims cannot be kept.
/// Cost:    that of the codec; small chunks that do not lie side by side are copied once.
class FrameBuilder {
 public:
  FrameBuilder(store::StoreWriter& writer, CompressionCodec codec, StoreLayout layout);

  /// Claims `chunks` and puts those that the store does not have. What others have in flight is added to
  /// `waits_for`.
  [[nodiscard]] Result<StoredBytes> put_new(std::span<const ChunkBytes> chunks,
                                            std::vector<Digest>& waits_for);

 private:
  [[nodiscard]] Result<StoredBytes> claim_and_put(std::span<const ChunkBytes> chunks,
                                                  std::vector<Digest>& waits_for);
  [[nodiscard]] Result<StoredBytes> put_frame(std::span<const ChunkBytes> chunks);
  [[nodiscard]] Bytes gather(std::span<const ChunkBytes> chunks);
  [[nodiscard]] Result<store::Frame> compress(std::span<const ChunkBytes> chunks, Bytes raw);

  store::StoreWriter* writer_;
  CompressionCodec codec_;
  std::uint64_t frame_bytes_max_;
  CompressionScratch scratch_;
  ByteBuffer gathered_;
  std::vector<Digest> digests_;
  std::vector<ChunkBytes> new_chunks_;
};

}  // namespace chunker::pipeline
