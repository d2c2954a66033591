#include "pipeline/gc_plan.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack.hpp"
#include "store/pack_walk.hpp"

namespace chunker::pipeline {

using store::FrameRecord;
using store::ManifestRecord;
using store::NameRecord;
using store::PackDirectory;
using store::PackEntry;
using store::RemovalRecord;

Result<Liveness> Liveness::mark(Store::Parts& parts) {
  Liveness liveness(parts);
  auto& needed = liveness.needed_;
  CHUNKER_TRY_VOID(parts.index->for_each_manifest([&](const auto& entry) -> Result<void> {
    CHUNKER_TRY(const auto head, store::read_manifest_head(parts, entry.first));
    const auto pieces = head.pieces();
    for (const Digest& piece : pieces) {
      if (auto there = parts.locate(piece); !there) return std::unexpected(there.error());
    }
    needed.insert(pieces.begin(), pieces.end());
    CHUNKER_TRY(const auto chunks, store::read_chunk_list(parts, head));
    for (const ChunkReference& chunk : chunks) {
      // A store with holes is repaired first: what fills them may come back, and need the rest.
      if (!needed.insert(chunk.digest).second) continue;
      if (auto there = parts.locate(chunk.digest); !there) return std::unexpected(there.error());
    }
    return {};
  }));
  // Again while a base was found that is a delta itself.
  for (bool again = true; again;) {
    CHUNKER_TRY(again, liveness.mark_bases());
  }
  return liveness;
}

Result<bool> Liveness::mark_bases() {
  bool found_delta = false;
  CHUNKER_TRY_VOID(parts_->index->for_each_pack(
      [&](const PackEntry& pack) { return mark_bases_in(pack, found_delta); }));
  return found_delta;
}

Result<void> Liveness::mark_bases_in(const PackEntry& pack, bool& found_delta) {
  CHUNKER_TRY(const auto directory,
              store::read_pack_directory(*parts_->blobs, pack.key, pack.blob_bytes));
  for (const auto& [delta, payload_offset] : store::delta_frames(directory)) {
    CHUNKER_TRY(const auto alive, chunks(delta, pack.number, payload_offset));
    const bool any = std::ranges::find(alive, true) != alive.end();
    if (any) CHUNKER_TRY_VOID(need_base(delta, found_delta));
  }
  return {};
}

Result<void> Liveness::need_base(const FrameRecord& delta, bool& found_delta) {
  for (const Digest& digest : delta.base) {
    if (!needed_.insert(digest).second) continue;
    CHUNKER_TRY(const auto location, parts_->locate(digest));
    found_delta |= (location.flags & store::kDeltaFrame) != 0;
  }
  return {};
}

Result<std::vector<bool>> Liveness::chunks(const FrameRecord& frame, store::PackNumber number,
                                           std::uint64_t payload_offset) const {
  std::vector<bool> alive(frame.chunks.size());
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (!needed_.contains(frame.chunks[i].digest)) continue;
    CHUNKER_TRY(const auto location, parts_->index->chunk(frame.chunks[i].digest));
    alive[i] = location && location->pack == number && location->payload_offset == payload_offset;
  }
  return alive;
}

Result<bool> Liveness::manifest(const ManifestRecord& manifest, store::PackNumber number,
                                std::uint64_t payload_offset) const {
  CHUNKER_TRY(const auto location, parts_->index->manifest(manifest.nar_sha256));
  return location && location->pack == number && location->payload_offset == payload_offset;
}

Result<bool> Liveness::name(const NameRecord& name) const {
  CHUNKER_TRY(const auto now, parts_->index->name(name.name));
  return now && now->nar_sha256 == name.nar_sha256;
}

Result<bool> Liveness::is_named(const std::string& name) const {
  CHUNKER_TRY(const auto now, parts_->index->name(name));
  return now.has_value();
}

namespace {

/// What is dead in one pack.
struct Garbage {
  double payload_bytes = 0;
  double payload_bytes_total = 0;
  std::uint64_t chunks = 0;
  bool dead_names = false;
  std::vector<std::string> names_removed;  ///< Recorded here, without a meaning now.
  std::vector<std::string> removals;
};

Result<void> weigh_frame(const Liveness& liveness, const FrameRecord& frame,
                         store::PackNumber number, std::uint64_t offset, Garbage& garbage) {
  CHUNKER_TRY(const auto alive, liveness.chunks(frame, number, offset));
  double dead_bytes = 0;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (alive[i]) continue;
    ++garbage.chunks;
    dead_bytes += static_cast<double>(frame.chunks[i].size_bytes);
  }
  garbage.payload_bytes += static_cast<double>(frame.payload_bytes) * dead_bytes /
                           static_cast<double>(frame.raw_bytes());
  return {};
}

Result<void> weigh_name(const Liveness& liveness, const NameRecord& name, Garbage& garbage) {
  CHUNKER_TRY(const bool alive, liveness.name(name));
  if (alive) return {};
  garbage.dead_names = true;
  CHUNKER_TRY(const bool named, liveness.is_named(name.name));
  if (!named) garbage.names_removed.push_back(name.name);
  return {};
}

Result<Garbage> weigh(const Liveness& liveness, const PackEntry& pack,
                      const PackDirectory& directory) {
  Garbage garbage;
  for (const auto& [record, payload_offset] : store::PackWalk(directory)) {
    const std::uint64_t bytes = store::payload_bytes(record);
    if (const auto* frame = std::get_if<FrameRecord>(&record)) {
      CHUNKER_TRY_VOID(weigh_frame(liveness, *frame, pack.number, payload_offset, garbage));
    } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
      CHUNKER_TRY(const bool alive, liveness.manifest(*manifest, pack.number, payload_offset));
      if (!alive) garbage.payload_bytes += static_cast<double>(bytes);
    } else if (const auto* name = std::get_if<NameRecord>(&record)) {
      CHUNKER_TRY_VOID(weigh_name(liveness, *name, garbage));
    } else if (const auto* removal = std::get_if<RemovalRecord>(&record)) {
      garbage.removals.push_back(removal->name);
    }
    garbage.payload_bytes_total += static_cast<double>(bytes);
  }
  return garbage;
}

bool worth_rewriting(const Garbage& garbage, double garbage_min) {
  if (garbage.payload_bytes_total == 0) return garbage.dead_names;
  return garbage.payload_bytes > 0 &&
         garbage.payload_bytes >= garbage_min * garbage.payload_bytes_total;
}

}  // namespace

Result<void> refuse_holes(Store::Parts& parts) {
  const auto check = [&parts](const store::BlobStore::Listed& blob) -> Result<void> {
    CHUNKER_TRY(const auto known, parts.index->pack(blob.key));
    if (known) return {};
    return base::fail(ErrorCode::store_corrupt,
                      "a damaged pack may name NARs whose chunks would be taken for garbage; "
                      "repair it, or move it out of the store",
                      Error::kNoOffset, blob.key);
  };
  CHUNKER_TRY_VOID(parts.blobs->list("chunks/", check));
  CHUNKER_TRY_VOID(parts.blobs->list("packs/", check));
  return parts.index->for_each_name([&parts](const NameRecord& name) -> Result<void> {
    CHUNKER_TRY(const auto manifest, parts.index->manifest(name.nar_sha256));
    if (manifest) return {};
    return base::fail(ErrorCode::store_chunk_missing,
                      "the pack with this NAR's manifest is missing: bring it back, ingest the NAR "
                      "again or remove its name",
                      Error::kNoOffset, name.name);
  });
}

Result<GcPlan> plan_gc(Store::Parts& parts, const Liveness& liveness, double garbage_min) {
  GcPlan plan;
  std::vector<std::pair<PackEntry, std::vector<std::string>>> with_removals;
  CHUNKER_TRY_VOID(parts.index->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    CHUNKER_TRY(const auto directory,
                store::read_pack_directory(*parts.blobs, pack.key, pack.blob_bytes));
    CHUNKER_TRY(Garbage garbage, weigh(liveness, pack, directory));
    plan.pack_bytes += pack.blob_bytes;
    plan.chunks_dead += garbage.chunks;
    if (worth_rewriting(garbage, garbage_min)) {
      plan.victims.push_back(pack);
      plan.garbage_bytes += static_cast<std::uint64_t>(garbage.payload_bytes);
      return {};
    }
    plan.names_kept_removed.insert(garbage.names_removed.begin(), garbage.names_removed.end());
    if (garbage.payload_bytes_total == 0 && !garbage.removals.empty()) {
      with_removals.emplace_back(pack, std::move(garbage.removals));
    }
    return {};
  }));
  // A removal is needed as long as a pack that stays records the name; known only now.
  for (auto& [pack, removals] : with_removals) {
    const bool needed = std::ranges::any_of(removals, [&plan](const std::string& name) {
      return plan.names_kept_removed.contains(name);
    });
    if (!needed) plan.victims.push_back(std::move(pack));
  }
  return plan;
}

}  // namespace chunker::pipeline
