#include <algorithm>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/gc_plan.hpp"
#include "pipeline/readers.hpp"
#include "pipeline/workers.hpp"
#include "store/baseless.hpp"
#include "store/pack_walk.hpp"
#include "store/parts.hpp"
#include "store/rewriter.hpp"
#include "store/second_copies.hpp"

// Garbage collection: mark what named NARs need (gc_plan.cpp), copy what is alive out of packs with too much
// garbage, and only when the copies are durable and in the index remove those packs.
namespace chunker {
namespace {

using pipeline::GcPlan;
using pipeline::Liveness;
using store::FrameRecord;
using store::ManifestRecord;
using store::NameRecord;
using store::PackEntry;
using store::RemovalRecord;

class Collector {
 public:
  Collector(Store::Parts& parts, const Liveness& liveness, const GcPlan& plan,
            const OnReadersWait& on_wait)
      : parts_(parts), liveness_(liveness), plan_(plan), on_wait_(on_wait), rewriter_(parts) {}

  Result<GcReport> run();

 private:
  Result<void> rewrite(const PackEntry& pack);
  Result<void> copy(const FrameRecord& frame, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const ManifestRecord& manifest, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const NameRecord& name, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const RemovalRecord& removal, const PackEntry& pack, std::uint64_t offset);
  Result<void> remove_victims();

  Store::Parts& parts_;
  const Liveness& liveness_;
  const GcPlan& plan_;
  const OnReadersWait& on_wait_;
  store::Rewriter rewriter_;
  std::unordered_set<std::string> copied_names_;
  GcReport report_;
};

Result<void> Collector::copy(const FrameRecord& frame, const PackEntry& pack,
                             std::uint64_t offset) {
  CHUNKER_TRY(const auto alive, liveness_.chunks(frame, pack.number, offset));
  const auto chunks = store::chunks_of(frame, pack.number, offset);
  std::vector<store::LocatedChunk> kept;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (alive[i]) kept.push_back(chunks[i]);
  }
  report_.chunks_removed += alive.size() - kept.size();
  // Damage stops the collection before anything is removed.
  return kept.empty() ? Result<void>{} : rewriter_.copy(kept);
}

Result<void> Collector::copy(const ManifestRecord& manifest, const PackEntry& pack,
                             std::uint64_t offset) {
  CHUNKER_TRY(const bool alive, liveness_.manifest(manifest, pack.number, offset));
  return alive ? rewriter_.copy(manifest, pack.number, offset) : Result<void>{};
}

Result<void> Collector::copy(const NameRecord& name, const PackEntry&, std::uint64_t) {
  CHUNKER_TRY(const bool alive, liveness_.name(name));
  if (!alive || !copied_names_.insert(name.name).second) return {};
  return rewriter_.add(name);
}

Result<void> Collector::copy(const RemovalRecord& removal, const PackEntry&, std::uint64_t) {
  CHUNKER_TRY(const bool named, liveness_.is_named(removal.name));
  if (named || !plan_.names_kept_removed.contains(removal.name)) return {};
  return rewriter_.add(removal);
}

Result<void> Collector::rewrite(const PackEntry& pack) {
  CHUNKER_TRY(const auto directory,
              store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes));
  for (const auto& [record, payload_offset] : store::PackWalk(directory)) {
    CHUNKER_TRY_VOID(
        std::visit([&](const auto& known) { return copy(known, pack, payload_offset); }, record));
  }
  return {};
}

/// In order of sequence, so that a removal outlives every name record that it undoes.
Result<void> Collector::remove_victims() {
  auto victims = plan_.victims;
  std::erase_if(victims, [this](const PackEntry& pack) {  // Replaced by its own copy.
    return rewriter_.objects_written().contains(pack.key);
  });
  std::ranges::sort(victims, {}, &PackEntry::sequence);
  std::unordered_set<store::PackNumber> going;
  for (const PackEntry& pack : victims) going.insert(pack.number);
  // Only garbage is found in them by now. What another pack has, too, stays known.
  CHUNKER_TRY_VOID(store::use_second_copies(*parts_.blobs, *parts_.index, going));
  // Deltas that are garbage stay where their pack does; without their base nobody may take them for stored.
  CHUNKER_TRY_VOID(store::forget_baseless(*parts_.blobs, *parts_.index, going));
  // No living chunk may be looked for in a pack that goes, not even after a power cut.
  CHUNKER_TRY_VOID(parts_.index->flush());
  CHUNKER_TRY(const auto alone, pipeline::lock_out_readers(parts_, on_wait_));
  const std::unique_lock alone_in_process(parts_.reading);
  parts_.unsettled = true;
  for (const PackEntry& pack : victims) {
    CHUNKER_TRY(const auto directory,
                store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes));
    CHUNKER_TRY_VOID(parts_.blobs->remove(pack.key));
    CHUNKER_TRY_VOID(parts_.index->forget_pack(pack.key, directory));
    ++report_.packs_removed;
  }
  parts_.forget_caches();
  parts_.unsettled = false;
  return parts_.index->flush();
}

Result<std::uint64_t> count_pack_bytes(const store::Index& index) {
  std::uint64_t bytes = 0;
  CHUNKER_TRY_VOID(index.for_each_pack([&bytes](const PackEntry& pack) -> Result<void> {
    bytes += pack.blob_bytes;
    return {};
  }));
  return bytes;
}

Result<GcReport> Collector::run() {
  report_.bytes_before = plan_.pack_bytes;
  for (const PackEntry& pack : plan_.victims) CHUNKER_TRY_VOID(rewrite(pack));
  CHUNKER_TRY_VOID(rewriter_.close());
  report_.packs_written = rewriter_.packs_written();
  if (!plan_.victims.empty()) {
    CHUNKER_TRY_VOID(remove_victims());
    (void)parts_.index->forget_stale_features();  // Hints: what stays costs some bytes.
  }
  CHUNKER_TRY(report_.bytes_after, count_pack_bytes(*parts_.index));
  return report_;
}

Result<GcReport> collect(Store::Parts& parts, const GcOptions& options) {
  const base::Lock writing(parts.writing);
  CHUNKER_TRY_VOID(parts.check_settled());
  CHUNKER_TRY_VOID(pipeline::refuse_holes(parts));
  CHUNKER_TRY(const auto liveness, Liveness::mark(parts));
  CHUNKER_TRY(const auto plan, pipeline::plan_gc(parts, liveness, options.garbage_min));
  if (options.dry_run) {
    GcReport report;
    report.packs_removed = plan.victims.size();
    report.chunks_removed = plan.chunks_dead;
    report.bytes_before = plan.pack_bytes;
    report.bytes_after = plan.pack_bytes - plan.garbage_bytes;  // About: frames may compress anew.
    return report;
  }
  return Collector(parts, liveness, plan, options.on_wait).run();
}

}  // namespace

Result<GcReport> collect_garbage(Store& store, const GcOptions& options) {
  Store::Parts& parts = store.parts();
  if (parts.options.access != StoreAccess::write) {
    return base::fail(ErrorCode::invalid_argument, "the store is open for reading only");
  }
  return pipeline::catching([&] { return collect(parts, options); });
}

}  // namespace chunker
