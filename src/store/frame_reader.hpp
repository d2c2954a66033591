#pragma once

#include <optional>
#include <span>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/frame_cache.hpp"
#include "store/index.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Reads frames and takes verified chunks out of them; gets what delta frames need on the way.
/// Owns:    its codec contexts, and buffers of the store's ScratchPool until its end.
/// Threads: movable; one per worker.
/// Errors:  store_chunk_missing (pack gone), store_corrupt, codec_*, digest_mismatch, io_*, memory_limit_exceeded.
/// Cost:    one read per frame that is not the one held already; for a delta frame also those of its base, of
///          which the store's FrameCache keeps the last ones.
class FrameReader {
 public:
  /// Frames have seldom more, and whoever makes a reader reserves kBytesExpected. It reserves itself for a larger one.
  static constexpr std::size_t kFrameBytesExpected = 2 << 20;
  /// What was read and what is decoded, a base, and zstd's context.
  static constexpr std::size_t kBytesExpected = 2 * kFrameBytesExpected + (4 << 20);

  explicit FrameReader(Store::Parts& parts)
      : parts_(&parts), payload_(parts.scratch), base_(parts.scratch), raw_(parts.scratch) {}

  /// Decodes the frame that `location` lies in, unless it is the one held already.
  [[nodiscard]] Result<void> load(const ChunkLocation& location);
  /// The bytes of a chunk of the held frame, verified against `digest`; valid until the next load().
  [[nodiscard]] Result<Bytes> chunk(const Digest& digest, const ChunkLocation& location) const;
  /// load() and chunk() in one.
  [[nodiscard]] Result<Bytes> read(const Digest& digest, const ChunkLocation& location);
  /// The held frame's decoded bytes, handed over; the store's ScratchPool likes them back.
  [[nodiscard]] ByteBuffer take() noexcept;
  /// Appends the verified bytes of a base's chunks, one behind the other.
  [[nodiscard]] Result<void> read_base(std::span<const Digest> digests, ByteBuffer& output) {
    return append_base(digests, output, 1);
  }
  /// The decoded frame that `location` lies in, for use as a base: the one that the store's FrameCache has, if any.
  [[nodiscard]] Result<std::shared_ptr<DecodedFrame>> base_frame(const ChunkLocation& location) {
    return base_frame(location, 1);
  }

 private:
  [[nodiscard]] Result<void> reserve_for_large(const ChunkLocation& location);
  [[nodiscard]] Result<void> decode(const ChunkLocation& location, ScratchBuffer& raw,
                                    unsigned depth);
  [[nodiscard]] Result<void> decode_payload(const ChunkLocation& location, Bytes payload,
                                            ByteBuffer& raw, unsigned depth);
  [[nodiscard]] Result<void> append_base(std::span<const Digest> digests, ByteBuffer& output,
                                         unsigned depth);
  [[nodiscard]] Result<std::shared_ptr<DecodedFrame>> base_frame(const ChunkLocation& location,
                                                                 unsigned depth);
  [[nodiscard]] Error placed(Error error, const ChunkLocation& location) const;

  Store::Parts* parts_;
  MemoryBudget::Reservation large_;  ///< For a frame beyond kFrameBytesExpected.
  CompressionScratch scratch_;
  ScratchBuffer payload_;
  ScratchBuffer base_;
  ScratchBuffer raw_;
  std::optional<ChunkLocation> held_;
};

}  // namespace chunker::store
