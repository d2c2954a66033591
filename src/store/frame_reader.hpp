#pragma once

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/index.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Reads frames and takes verified chunks out of them.
/// Owns:    its buffers and codec contexts, so that reading many frames allocates once.
/// Threads: movable; one per worker.
/// Errors:  store_chunk_missing (pack gone), store_corrupt, codec_*, digest_mismatch, io_*.
/// Cost:    one read per frame that is not the one held already.
class FrameReader {
 public:
  explicit FrameReader(Store::Parts& parts) : parts_(&parts) {}

  /// Decodes the frame that `location` lies in, unless it is the one held already.
  [[nodiscard]] Result<void> load(const ChunkLocation& location);
  /// The bytes of a chunk of the held frame, verified against `digest`; valid until the next load().
  [[nodiscard]] Result<Bytes> chunk(const Digest& digest, const ChunkLocation& location) const;
  /// load() and chunk() in one.
  [[nodiscard]] Result<Bytes> read(const Digest& digest, const ChunkLocation& location);
  /// The held frame's decoded bytes, handed over in exchange for a buffer to decode into next.
  [[nodiscard]] ByteBuffer take(ByteBuffer replacement) noexcept;

 private:
  [[nodiscard]] Result<void> decode(const ChunkLocation& location);

  Store::Parts* parts_;
  CompressionScratch scratch_;
  ByteBuffer payload_;
  ByteBuffer raw_;
  std::optional<ChunkLocation> held_;
};

/// The bytes of one chunk inside a decoded frame, verified.
/// Errors: store_corrupt if the location does not fit the frame, digest_mismatch.
[[nodiscard]] Result<Bytes> chunk_in_frame(Bytes frame, const Digest& digest,
                                           const ChunkLocation& location,
                                           const HashAlgorithm& hash);

}  // namespace chunker::store
