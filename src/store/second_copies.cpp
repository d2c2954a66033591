#include "store/second_copies.hpp"

#include <unordered_map>

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
        for (const LocatedChunk& chunk : chunks_of(*frame, pack.number, payload_offset)) {
          note(chunk);
        }
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

  [[nodiscard]] const auto& chunks() const noexcept { return chunks_; }
  [[nodiscard]] const auto& manifests() const noexcept { return manifests_; }

 private:
  /// A delta only as long as nothing better is there: its base may be going.
  void note(const LocatedChunk& chunk) {
    if (!chunks_wanted_.contains(chunk.digest)) return;
    const auto [found, first] = chunks_.try_emplace(chunk.digest, chunk.location);
    if (!first && (found->second.flags & kDeltaFrame) != 0) found->second = chunk.location;
  }

  BlobStore& blobs_;
  const Index& index_;
  const std::unordered_set<PackNumber>& going_;
  std::unordered_set<Digest> chunks_wanted_;
  std::unordered_set<Digest> manifests_wanted_;
  std::unordered_map<Digest, ChunkLocation> chunks_;
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
