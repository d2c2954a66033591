#include "store/second_copies.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/try.hpp"
#include "store/pack_walk.hpp"
#include "store/salvage.hpp"

namespace chunker::store {
namespace {

class SecondCopies {
 public:
  SecondCopies(BlobStore& blobs, const Index& index, const std::unordered_set<PackNumber>& going)
      : blobs_(blobs), index_(index), going_(going) {}

  /// Whether there is anything to look for.
  Result<bool> find_wanted() {
    CHUNKER_TRY_VOID(index_.for_each_chunk([this](const auto& entry) -> Result<void> {
      if (going_.contains(entry.second.pack)) chunks_wanted_.insert(entry.first);
      return {};
    }));
    CHUNKER_TRY_VOID(index_.for_each_manifest([this](const auto& entry) -> Result<void> {
      if (going_.contains(entry.second.pack)) manifests_wanted_.insert(entry.first);
      return {};
    }));
    return !chunks_wanted_.empty() || !manifests_wanted_.empty();
  }

  Result<void> look_into(const PackEntry& pack) {
    if (going_.contains(pack.number)) return {};
    const auto directory = read_pack_directory(blobs_, pack.key, pack.blob_bytes);
    if (!directory) return unless_damaged(directory.error());
    for (const auto& [record, payload_offset] : PackWalk(*directory)) {
      if (const auto* frame = std::get_if<FrameRecord>(&record)) {
        CHUNKER_TRY_VOID(note(*frame, chunks_of(*frame, pack.number, payload_offset)));
      } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
        if (!manifests_wanted_.contains(manifest->nar_sha256)) continue;
        manifests_.insert_or_assign(
            manifest->nar_sha256,
            ManifestLocation{pack.number, payload_offset, manifest->payload_bytes,
                             manifest->nar_bytes, manifest->chunk_count});
      }
    }
    return {};
  }

  [[nodiscard]] auto chunks() const {
    std::unordered_map<Digest, ChunkLocation> chunks;
    for (const auto& [digest, copy] : copies_) chunks.emplace(digest, copy.location);
    return chunks;
  }
  [[nodiscard]] const auto& manifests() const noexcept { return manifests_; }

 private:
  /// The best last. Of a delta, the base may be going.
  enum class Worth : std::uint8_t { delta_of_what_goes, delta, whole };
  struct Copy {
    ChunkLocation location;
    Worth worth;
  };

  /// The best copy of each, the first of several that are as good.
  Result<void> note(const FrameRecord& frame, const std::vector<LocatedChunk>& chunks) {
    std::optional<Worth> worth;
    for (const auto& [digest, location] : chunks) {
      if (!chunks_wanted_.contains(digest)) continue;
      if (!worth) {
        CHUNKER_TRY(worth, worth_of(frame));
      }
      const auto [found, first] = copies_.try_emplace(digest, Copy{location, *worth});
      if (!first && found->second.worth < *worth) found->second = {location, *worth};
    }
    return {};
  }

  Result<Worth> worth_of(const FrameRecord& frame) const {
    if (frame.base.empty()) return Worth::whole;
    CHUNKER_TRY(const auto base, index_.chunks(frame.base));
    const bool stays = std::ranges::all_of(
        base, [this](const auto& chunk) { return chunk && !going_.contains(chunk->pack); });
    return stays ? Worth::delta : Worth::delta_of_what_goes;
  }

  BlobStore& blobs_;
  const Index& index_;
  const std::unordered_set<PackNumber>& going_;
  std::unordered_set<Digest> chunks_wanted_;
  std::unordered_set<Digest> manifests_wanted_;
  std::unordered_map<Digest, Copy> copies_;
  std::unordered_map<Digest, ManifestLocation> manifests_;
};

}  // namespace

Result<void> use_second_copies(BlobStore& blobs, Index& index,
                               const std::unordered_set<PackNumber>& going) {
  SecondCopies copies(blobs, index, going);
  CHUNKER_TRY(const bool any, copies.find_wanted());
  if (!any) return {};
  CHUNKER_TRY_VOID(
      index.for_each_pack([&copies](const PackEntry& pack) { return copies.look_into(pack); }));
  return index.relocate(copies.chunks(), copies.manifests());
}

}  // namespace chunker::store
