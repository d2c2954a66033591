#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "chunker/algorithm_use.hpp"
#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "pipeline/delta_encoder.hpp"
#include "pipeline/frame_compressor.hpp"
#include "pipeline/older_version.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

/// A chunk and its bytes, borrowed, and where an older version has the like.
struct ChunkBytes {
  Digest digest;
  Bytes bytes;
  OlderRange older{};
};

/// Names chunks of the store that `chunks` probably resemble; empty if it knows of none.
using SuggestBase = std::function<std::vector<Digest>(std::span<const ChunkBytes> chunks)>;

/// What became of some new chunks.
struct StoredBytes {
  std::uint64_t chunks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t delta_raw_bytes = 0;  ///< Of these as deltas.
  std::uint64_t delta_stored_bytes = 0;
  std::vector<AlgorithmUse> codecs{};  ///< What made raw into stored bytes.

  StoredBytes& operator+=(const StoredBytes& other) {
    chunks += other.chunks;
    raw_bytes += other.raw_bytes;
    stored_bytes += other.stored_bytes;
    delta_raw_bytes += other.delta_raw_bytes;
    delta_stored_bytes += other.delta_stored_bytes;
    add_uses(codecs, other.codecs);
    return *this;
  }
};

/// Compresses new chunks, several small ones together, and puts the frames.
/// Owns:    its buffers, and those of what compresses.
/// Threads: movable; one per worker.
/// Errors:  codec_failed, io_*; the writer is failed then, since its claims cannot be kept.
/// Cost:    that of the codec; small chunks that do not lie side by side are copied once.
class FrameBuilder {
 public:
  FrameBuilder(Store::Parts& parts, store::StoreWriter& writer, FrameCompressor compressor);

  /// Claims `chunks` and puts those that the store does not have. What others have in flight is added to
  /// `waits_for`. Without `suggest_base` there are no deltas.
  [[nodiscard]] Result<StoredBytes> put_new(std::span<const ChunkBytes> chunks,
                                            const SuggestBase& suggest_base,
                                            std::vector<Digest>& waits_for);

 private:
  [[nodiscard]] Result<StoredBytes> claim_and_put(std::span<const ChunkBytes> chunks,
                                                  const SuggestBase& suggest_base,
                                                  std::vector<Digest>& waits_for);
  [[nodiscard]] Result<StoredBytes> make_frame(std::span<const ChunkBytes> chunks,
                                               const SuggestBase& suggest_base,
                                               store::Frame& frame);
  [[nodiscard]] Result<StoredBytes> put_frame(std::span<const ChunkBytes> chunks,
                                              const SuggestBase& suggest_base);
  [[nodiscard]] Bytes gather(std::span<const ChunkBytes> chunks);

  Store::Parts* parts_;
  store::StoreWriter* writer_;
  FrameCompressor compressor_;
  std::uint64_t frame_bytes_max_;
  DeltaEncoder deltas_;
  ByteBuffer gathered_;
  std::vector<Digest> digests_;
  std::vector<ChunkBytes> new_chunks_;
};

}  // namespace chunker::pipeline
