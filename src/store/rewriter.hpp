#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>

#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "store/frame_reader.hpp"
#include "store/pack_walk.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Copies records of packs into new packs, for whoever is about to take the old ones away.
/// Owns:    the pack being written; a reader with its buffers.
/// Threads: movable.
/// Errors:  store_*, codec_*, digest_mismatch, io_*. No chunk is copied unverified: a copy of damage would
///          outlive the good bytes that it hides.
/// Cost:    a frame that stays whole is copied as it is, one that shrinks is compressed anew.
class Rewriter {
 public:
  explicit Rewriter(Store::Parts& parts) : parts_(&parts), reader_(parts) {}

  /// Chunks of one frame, in their order there.
  [[nodiscard]] Result<void> copy(std::span<const LocatedChunk> chunks);
  [[nodiscard]] Result<void> copy(const ManifestRecord& manifest, PackNumber pack,
                                  std::uint64_t payload_offset);
  [[nodiscard]] Result<void> add(NameRecord name);
  [[nodiscard]] Result<void> add(RemovalRecord removal);
  /// What was copied so far is durable and in the index when this returns.
  [[nodiscard]] Result<void> close();

  /// Its frame is loaded already when copy() comes to it.
  [[nodiscard]] FrameReader& reader() noexcept { return reader_; }
  [[nodiscard]] std::uint64_t packs_written() const noexcept { return packs_written_; }
  /// Keys of chunk objects that were written, perhaps over the ones to be taken away.
  [[nodiscard]] const std::unordered_set<std::string>& objects_written() const noexcept {
    return objects_written_;
  }

 private:
  [[nodiscard]] Result<PackWriter*> output();
  [[nodiscard]] Result<ByteBuffer> payload(PackNumber pack, std::uint64_t offset_bytes,
                                           std::uint64_t size_bytes);
  [[nodiscard]] Result<void> compress(Bytes raw, const FrameRecord& record, ByteBuffer& payload);
  [[nodiscard]] Result<void> add_frame(FrameRecord frame, Bytes payload);

  Store::Parts* parts_;
  FrameReader reader_;
  CompressionScratch scratch_;
  std::optional<PackWriter> output_;
  std::uint64_t packs_written_ = 0;
  std::unordered_set<std::string> objects_written_;
};

}  // namespace chunker::store
