#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "chunker/digest.hpp"
#include "store/index.hpp"
#include "store/pack.hpp"

// A directory does not say where payloads lie: each begins where the one before it ends. This knows.
namespace chunker::store {

/// A record of a directory, and where in the pack its payload begins.
template <class Record>
struct Placed {
  const Record& record;
  std::uint64_t payload_offset;
};

/// What a pack holds, in order: for (const auto& [record, payload_offset] : PackWalk(directory)) ...
/// Owns:    nothing; the directory must outlive it.
/// Threads: confined.
class PackWalk {
 public:
  class Iterator {
   public:
    explicit Iterator(const PackRecord* record) noexcept : record_(record) {}
    [[nodiscard]] Placed<PackRecord> operator*() const noexcept {
      return {*record_, payload_offset_};
    }
    Iterator& operator++() noexcept {
      payload_offset_ += payload_bytes(*record_++);
      return *this;
    }
    [[nodiscard]] bool operator==(const Iterator& other) const noexcept {
      return record_ == other.record_;
    }

   private:
    const PackRecord* record_;
    std::uint64_t payload_offset_ = kPackMagicBytes;
  };

  explicit PackWalk(const PackDirectory& directory) noexcept : records_(directory.records) {}
  explicit PackWalk(PackDirectory&&) = delete;
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(records_.data()); }
  [[nodiscard]] Iterator end() const noexcept {
    return Iterator(records_.data() + records_.size());
  }

 private:
  const std::vector<PackRecord>& records_;
};

/// The frames that need a base.
[[nodiscard]] inline std::vector<Placed<FrameRecord>> delta_frames(const PackDirectory& directory) {
  std::vector<Placed<FrameRecord>> deltas;
  for (const auto& [record, payload_offset] : PackWalk(directory)) {
    const auto* frame = std::get_if<FrameRecord>(&record);
    if (frame != nullptr && !frame->base.empty()) deltas.push_back({*frame, payload_offset});
  }
  return deltas;
}

struct LocatedChunk {
  Digest digest;
  ChunkLocation location;
};

/// Where the chunks of a frame lie, in their order there.
[[nodiscard]] inline std::vector<LocatedChunk> chunks_of(const FrameRecord& frame, PackNumber pack,
                                                         std::uint64_t payload_offset) {
  ChunkLocation location{.pack = pack,
                         .payload_offset = payload_offset,
                         .payload_bytes = frame.payload_bytes,
                         .codec = frame.codec,
                         .flags = frame.flags,
                         .frame_raw_bytes = frame.raw_bytes()};
  std::vector<LocatedChunk> chunks;
  chunks.reserve(frame.chunks.size());
  for (const ChunkReference& chunk : frame.chunks) {
    location.chunk_bytes = chunk.size_bytes;
    chunks.push_back({chunk.digest, location});
    location.offset_in_frame += chunk.size_bytes;
  }
  return chunks;
}

}  // namespace chunker::store
