#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/gc_plan.hpp"
#include "pipeline/workers.hpp"
#include "resource/file.hpp"
#include "store/frame_reader.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"

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

/// How long readers of other processes may hold up the removal of packs.
constexpr auto kReadersWait = std::chrono::seconds(30);
constexpr auto kReadersPoll = std::chrono::milliseconds(50);

class Collector {
 public:
  Collector(Store::Parts& parts, const Liveness& liveness, const GcPlan& plan)
      : parts_(parts), liveness_(liveness), plan_(plan), reader_(parts) {}

  Result<GcReport> run();

 private:
  Result<void> rewrite(const PackEntry& pack);
  Result<void> copy(const FrameRecord& frame, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const ManifestRecord& manifest, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const NameRecord& name, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy(const RemovalRecord& removal, const PackEntry& pack, std::uint64_t offset);
  Result<void> copy_some(const FrameRecord& frame, const PackEntry& pack, std::uint64_t offset,
                         const std::vector<bool>& alive);
  Result<ByteBuffer> payload(const PackEntry& pack, std::uint64_t offset, std::uint64_t bytes);
  Result<store::PackWriter*> output();
  Result<void> close_output();
  Result<void> remove_victims();

  Store::Parts& parts_;
  const Liveness& liveness_;
  const GcPlan& plan_;
  store::FrameReader reader_;
  CompressionScratch scratch_;
  std::unordered_set<std::string> copied_names_;
  std::optional<store::PackWriter> output_;
  GcReport report_;
};

Result<store::PackWriter*> Collector::output() {
  if (output_ && output_->bytes() >= parts_.options.pack_bytes_target) {
    CHUNKER_TRY_VOID(close_output());
  }
  if (!output_) {
    CHUNKER_TRY(output_, store::PackWriter::begin(parts_));
  }
  return &*output_;
}

Result<void> Collector::close_output() {
  if (!output_) return {};
  CHUNKER_TRY(const std::uint64_t highest, parts_.index->highest_sequence());
  CHUNKER_TRY_VOID(output_->commit(highest + 1));
  output_.reset();
  ++report_.packs_written;
  return {};
}

Result<ByteBuffer> Collector::payload(const PackEntry& pack, std::uint64_t offset,
                                      std::uint64_t bytes) {
  ByteBuffer buffer(static_cast<std::size_t>(bytes));
  CHUNKER_TRY_VOID(parts_.blobs->read(pack.key, offset, buffer.span()));
  return buffer;
}

Result<void> Collector::copy(const FrameRecord& frame, const PackEntry& pack,
                             std::uint64_t offset) {
  CHUNKER_TRY(const auto alive, liveness_.chunks(frame, pack.number, offset));
  const auto living = std::ranges::count(alive, true);
  report_.chunks_removed += alive.size() - static_cast<std::size_t>(living);
  if (living == 0) return {};
  return copy_some(frame, pack, offset, alive);
}

/// Every chunk is verified on the way: a copy must not outlive the good one it was made from, and damage
/// must stop the collection before anything is removed.
Result<void> Collector::copy_some(const FrameRecord& frame, const PackEntry& pack,
                                  std::uint64_t offset, const std::vector<bool>& alive) {
  store::ChunkLocation location{
      pack.number, offset, frame.payload_bytes, frame.codec, frame.flags, frame.raw_bytes(), 0, 0};
  CHUNKER_TRY_VOID(reader_.load(location));
  FrameRecord kept{0, frame.codec, frame.flags, {}};
  ByteBuffer raw;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    location.chunk_bytes = frame.chunks[i].size_bytes;
    if (alive[i]) {
      CHUNKER_TRY(const Bytes bytes, reader_.chunk(frame.chunks[i].digest, location));
      raw.append(bytes);
      kept.chunks.push_back(frame.chunks[i]);
    }
    location.offset_in_frame += location.chunk_bytes;
  }
  ByteBuffer bytes;
  if (kept.chunks.size() == alive.size()) {
    CHUNKER_TRY(bytes, payload(pack, offset, frame.payload_bytes));
  } else {
    CHUNKER_TRY(const auto codec, parts_.options.codecs->by_id(frame.codec));
    CHUNKER_TRY_VOID(codec.compress(raw, scratch_, bytes));
  }
  kept.payload_bytes = bytes.size();
  CHUNKER_TRY(store::PackWriter* const writer, output());
  return writer->add_frame(std::move(kept), bytes);
}

Result<void> Collector::copy(const ManifestRecord& manifest, const PackEntry& pack,
                             std::uint64_t offset) {
  CHUNKER_TRY(const bool alive, liveness_.manifest(manifest, pack.number, offset));
  if (!alive) return {};
  CHUNKER_TRY(const ByteBuffer bytes, payload(pack, offset, manifest.payload_bytes));
  CHUNKER_TRY(store::PackWriter* const writer, output());
  return writer->add_manifest(manifest, bytes);
}

Result<void> Collector::copy(const NameRecord& name, const PackEntry&, std::uint64_t) {
  CHUNKER_TRY(const bool alive, liveness_.name(name));
  if (!alive || !copied_names_.insert(name.name).second) return {};
  CHUNKER_TRY(store::PackWriter* const writer, output());
  return writer->add_name(name);
}

Result<void> Collector::copy(const RemovalRecord& removal, const PackEntry&, std::uint64_t) {
  CHUNKER_TRY(const bool named, liveness_.is_named(removal.name));
  if (named || !plan_.names_kept_removed.contains(removal.name)) return {};
  CHUNKER_TRY(store::PackWriter* const writer, output());
  return writer->add_removal(removal);
}

Result<void> Collector::rewrite(const PackEntry& pack) {
  CHUNKER_TRY(const auto directory,
              store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes));
  std::uint64_t offset = store::kPackMagicBytes;
  for (const auto& record : directory.records) {
    CHUNKER_TRY_VOID(
        std::visit([&](const auto& known) { return copy(known, pack, offset); }, record));
    offset += store::payload_bytes(record);
  }
  return {};
}

/// Alone with the packs: readers of other processes may still hold locations in them.
Result<resource::FileLock> lock_out_readers(const Store::Parts& parts) {
  const auto deadline = std::chrono::steady_clock::now() + kReadersWait;
  for (;;) {
    auto lock = resource::FileLock::try_exclusive(parts.directory / "readers");
    if (lock || lock.error().code != ErrorCode::store_locked) return lock;
    if (std::chrono::steady_clock::now() > deadline) {
      return base::fail(ErrorCode::store_locked,
                        "readers kept the store open; nothing was lost, run gc again later",
                        Error::kNoOffset, parts.directory.string());
    }
    std::this_thread::sleep_for(kReadersPoll);
  }
}

/// In order of sequence, so that a removal outlives every name record that it undoes.
Result<void> Collector::remove_victims() {
  auto victims = plan_.victims;
  std::ranges::sort(victims, {}, &PackEntry::sequence);
  // No living chunk may be looked for in a pack that goes, not even after a power cut.
  CHUNKER_TRY_VOID(parts_.index->flush());
  CHUNKER_TRY(const auto alone, lock_out_readers(parts_));
  const std::unique_lock alone_in_process(parts_.reading);
  parts_.unsettled = true;
  for (const PackEntry& pack : victims) {
    CHUNKER_TRY(const auto directory,
                store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes));
    CHUNKER_TRY_VOID(parts_.blobs->remove(pack.key));
    CHUNKER_TRY_VOID(parts_.index->forget_pack(pack.key, directory));
    ++report_.packs_removed;
  }
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
  CHUNKER_TRY_VOID(close_output());
  if (!plan_.victims.empty()) CHUNKER_TRY_VOID(remove_victims());
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
    report.bytes_before = report.bytes_after = plan.pack_bytes;
    return report;
  }
  return Collector(parts, liveness, plan).run();
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
