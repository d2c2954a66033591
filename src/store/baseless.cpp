#include "store/baseless.hpp"

#include <vector>

#include "base/try.hpp"
#include "store/pack_walk.hpp"
#include "store/salvage.hpp"

namespace chunker::store {
namespace {

class BaselessSearch {
 public:
  BaselessSearch(BlobStore& blobs, Index& index, const std::unordered_set<PackNumber>& going)
      : blobs_(blobs), index_(index), going_(going) {}

  Result<void> look_into(const PackEntry& pack, const PackDirectory& directory) {
    for (const auto& [delta, payload_offset] : delta_frames(directory)) {
      CHUNKER_TRY(const bool has_base, can_be_read(delta.base, 1));
      if (!has_base) CHUNKER_TRY_VOID(forget(chunks_of(delta, pack.number, payload_offset)));
    }
    return {};
  }

  [[nodiscard]] std::size_t found_count() const noexcept { return forgotten_.size(); }

 private:
  Result<bool> can_be_read(const std::vector<Digest>& base, unsigned steps) {
    if (steps > kDeltaStepsMax) return false;
    CHUNKER_TRY(const auto locations, index_.chunks(base));
    for (const auto& location : locations) {
      if (!location || going_.contains(location->pack)) return false;
      if ((location->flags & kDeltaFrame) == 0) continue;
      CHUNKER_TRY(const auto next, base_at(*location));
      if (next.empty()) return false;
      CHUNKER_TRY(const bool readable, can_be_read(next, steps + 1));
      if (!readable) return false;
    }
    return true;
  }

  /// The base of a delta that is itself a base; that is rare enough to read its pack's directory for.
  Result<std::vector<Digest>> base_at(const ChunkLocation& location) {
    CHUNKER_TRY(const auto key, index_.pack_key(location.pack));
    CHUNKER_TRY(const auto pack, key ? index_.pack(*key) : std::nullopt);
    if (!pack) return std::vector<Digest>{};
    const auto directory = read_pack_directory(blobs_, pack->key, pack->blob_bytes);
    if (!directory) {
      CHUNKER_TRY_VOID(unless_damaged(directory.error()));
      return std::vector<Digest>{};
    }
    for (const auto& [delta, payload_offset] : delta_frames(*directory)) {
      if (payload_offset == location.payload_offset) return delta.base;
    }
    return std::vector<Digest>{};
  }

  Result<void> forget(const std::vector<LocatedChunk>& frame) {
    std::vector<Digest> digests;
    for (const LocatedChunk& chunk : frame) {
      CHUNKER_TRY(const auto location, index_.chunk(chunk.digest));
      // Another copy may be better off.
      if (location && location->same_frame(chunk.location)) digests.push_back(chunk.digest);
    }
    forgotten_.insert(digests.begin(), digests.end());
    return index_.forget_chunks(digests);
  }

  BlobStore& blobs_;
  Index& index_;
  const std::unordered_set<PackNumber>& going_;
  std::unordered_set<Digest> forgotten_;
};

}  // namespace

Result<void> forget_baseless(BlobStore& blobs, Index& index,
                             const std::unordered_set<PackNumber>& going) {
  BaselessSearch search(blobs, index, going);
  // Again while something was found: a delta that is forgotten may itself have been a base.
  for (std::size_t found_before = 1; found_before != search.found_count();) {
    found_before = search.found_count();
    // Those that go, too: they do so one after the other, and nobody may be stopped between a base and its deltas.
    CHUNKER_TRY_VOID(index.for_each_pack([&](const PackEntry& pack) -> Result<void> {
      const auto directory = read_pack_directory(blobs, pack.key, pack.blob_bytes);
      return directory ? search.look_into(pack, *directory) : Result<void>();
    }));
    if (search.found_count() == 0) return {};
  }
  return {};
}

}  // namespace chunker::store
