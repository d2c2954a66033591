#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/verify_findings.hpp"
#include "pipeline/workers.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack_walk.hpp"
#include "store/parts.hpp"
#include "store/reconcile.hpp"
#include "store/salvage.hpp"

// Verify's first half: the packs that are there, and what is in them.
namespace chunker::pipeline {
namespace {

using store::ChunkLocation;
using store::FrameRecord;
using store::LocatedChunk;
using store::ManifestRecord;
using store::PackDirectory;
using store::PackEntry;

class PackChecks {
 public:
  PackChecks(Store::Parts& parts, const VerifyOptions& options, const VerifyMeans& means,
             Findings& findings)
      : parts_(parts), options_(options), means_(means), findings_(findings) {}

  Result<void> check_listing();
  Result<void> check_all(const OnProgress& on_progress);
  CheckedPacks take();

 private:
  struct Work {
    static constexpr Threads kThreads = Threads::shared;
    PackChecks& checks;
    ProgressMeter& progress;
  };

  void damaged_pack(const std::string& key, const Error& error);
  void unread_pack(store::PackNumber number, const Error& error);
  void damaged_copy(const Error& error, const PackEntry& pack, bool needed);
  void check_unknown(const store::BlobStore::Listed& blob);
  void check_pack(const PackEntry& pack, ProgressMeter& progress);
  Result<void> check_contents(const PackEntry& pack, const PackDirectory& directory,
                              ProgressMeter& progress);
  Result<void> check_base(const FrameRecord& frame);
  Result<void> check_frame(store::FrameReader& reader, const PackEntry& pack,
                           const FrameRecord& frame, std::uint64_t offset);
  Result<bool> check_chunk(const store::FrameReader& reader, const PackEntry& pack,
                           const LocatedChunk& chunk, const Result<void>& loaded);
  Result<void> check_manifest(const PackEntry& pack, const ManifestRecord& manifest,
                              std::uint64_t offset);

  Store::Parts& parts_;
  const VerifyOptions& options_;
  const VerifyMeans& means_;
  Findings& findings_;
  std::vector<PackEntry> packs_;
  base::Mutex mutex_;
  CheckedPacks found_ CHUNKER_GUARDED_BY(mutex_);
};

void PackChecks::damaged_pack(const std::string& key, const Error& error) {
  // What this process cannot read may be good.
  if (!store::is_damage(error.code)) return;
  const base::Lock lock(mutex_);
  found_.damaged_keys.push_back(key);
}

void PackChecks::unread_pack(store::PackNumber number, const Error& error) {
  if (store::is_damage(error.code)) return;
  const base::Lock lock(mutex_);
  found_.unread_packs.insert(number);
  found_.why_unread = error.code;
}

/// Damage counts where the index sends readers; another copy is as good as garbage.
void PackChecks::damaged_copy(const Error& error, const PackEntry& pack, bool needed) {
  damaged_pack(pack.key, error);
  if (needed) {
    findings_.problem(error);
  } else {
    findings_.note(error);
  }
}

void PackChecks::check_unknown(const store::BlobStore::Listed& blob) {
  // A sound pack that the index does not know was cut off before it was acknowledged: no damage.
  auto directory = store::read_pack_directory(*parts_.blobs, blob.key, blob.size_bytes);
  if (directory) return;
  damaged_pack(blob.key, directory.error());
  findings_.problem(std::move(directory).error());
}

/// The blobs that are there, against the packs that the index knows.
Result<void> PackChecks::check_listing() {
  const auto check = [this](const store::BlobStore::Listed& blob) -> Result<void> {
    CHUNKER_TRY(auto known, parts_.index->pack(blob.key));
    if (!known) {
      check_unknown(blob);
    } else if (known->blob_bytes == blob.size_bytes) {
      packs_.push_back(*std::move(known));
    } else {
      Error error{ErrorCode::store_corrupt, "a pack does not have its recorded size",
                  blob.size_bytes, blob.key};
      damaged_pack(blob.key, error);
      findings_.problem(std::move(error));
    }
    return {};
  };
  CHUNKER_TRY_VOID(parts_.blobs->list("chunks/", check));
  CHUNKER_TRY_VOID(parts_.blobs->list("packs/", check));
  CHUNKER_TRY(const auto missing,
              store::missing_packs(*parts_.blobs, *parts_.index, packs_.size()));
  for (const std::string& key : missing) {
    CHUNKER_TRY(const auto pack, parts_.index->pack(key));
    if (!pack || parts_.blobs->size(key)) continue;
    const base::Lock lock(mutex_);
    found_.missing.emplace(pack->number, key);
  }
  return {};
}

/// Whether the index has the base of a delta.
Result<void> PackChecks::check_base(const FrameRecord& frame) {
  CHUNKER_TRY(const auto locations, parts_.index->chunks(frame.base));
  for (std::size_t i = 0; i < locations.size(); ++i) {
    if (locations[i]) continue;
    return base::fail(ErrorCode::store_chunk_missing, "the store does not have the base of a delta",
                      Error::kNoOffset, frame.base[i].hex());
  }
  return {};
}

/// Whether the index finds the chunk here; with `content` hashes it.
Result<bool> PackChecks::check_chunk(const store::FrameReader& reader, const PackEntry& pack,
                                     const LocatedChunk& chunk, const Result<void>& loaded) {
  const auto& [digest, location] = chunk;
  CHUNKER_TRY(const auto known, parts_.index->chunk(digest));
  // A delta may be forgotten: it was garbage, or lost its base for a time.
  if (!known && (location.flags & store::kDeltaFrame) == 0) {
    findings_.problem({ErrorCode::store_corrupt, "the index does not know a chunk of this pack",
                       location.payload_offset, pack.key + ": " + digest.hex()});
  }
  const bool needed = known && known->same_frame(location);
  bool good = loaded.has_value();
  if (good && options_.content) {
    const auto bytes = reader.chunk(digest, location);
    if (!bytes) damaged_copy(bytes.error(), pack, needed);
    good = bytes.has_value();
  }
  if (good != needed && (options_.content || !good)) {
    const base::Lock lock(mutex_);
    const bool is_unread = !loaded && !store::is_damage(loaded.error().code);
    (good ? found_.spare : is_unread ? found_.unread : found_.damaged).insert(digest);
    if (is_unread) found_.why_unread = loaded.error().code;
  }
  return needed;
}

/// Looks up every chunk of a frame; with `content` decodes it and hashes each.
Result<void> PackChecks::check_frame(store::FrameReader& reader, const PackEntry& pack,
                                     const FrameRecord& frame, std::uint64_t offset) {
  const auto chunks = store::chunks_of(frame, pack.number, offset);
  Result<void> loaded = check_base(frame);
  if (loaded && options_.content) loaded = reader.load(chunks.front().location);
  bool any_needed = false;
  for (const LocatedChunk& chunk : chunks) {
    CHUNKER_TRY(const bool needed, check_chunk(reader, pack, chunk, loaded));
    any_needed |= needed;
  }
  if (loaded) return {};
  ByteBuffer base;
  const bool is_base = !frame.base.empty() && !reader.read_base(frame.base, base);
  // What is wrong with a base is no fault of the pack that needs it.
  if (!is_base) {
    damaged_copy(loaded.error(), pack, any_needed);
  } else if (any_needed) {
    findings_.problem(loaded.error());
  }
  return {};
}

Result<void> PackChecks::check_manifest(const PackEntry& pack, const ManifestRecord& manifest,
                                        std::uint64_t offset) {
  const auto head = store::read_manifest_head(*parts_.blobs, pack.key, offset, manifest);
  if (head) return {};
  CHUNKER_TRY(const auto known, parts_.index->manifest(manifest.nar_sha256));
  damaged_copy(head.error(), pack,
               known && known->pack == pack.number && known->payload_offset == offset);
  return {};
}

Result<void> PackChecks::check_contents(const PackEntry& pack, const PackDirectory& directory,
                                        ProgressMeter& progress) {
  store::FrameReader reader(parts_);
  std::uint64_t frames = 0, chunks = 0;
  std::uint64_t payload_end = store::kPackMagicBytes;
  for (const auto& [record, payload_offset] : store::PackWalk(directory)) {
    if (options_.stop.stop_requested()) break;
    if (const auto* frame = std::get_if<FrameRecord>(&record)) {
      ++frames;
      chunks += frame->chunks.size();
      CHUNKER_TRY_VOID(check_frame(reader, pack, *frame, payload_offset));
      if (means_.cpu != nullptr) means_.cpu->spend(options_.content ? frame->payload_bytes : 0);
      if (options_.content) progress.add_bytes(frame->payload_bytes);
    } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
      if (options_.content) CHUNKER_TRY_VOID(check_manifest(pack, *manifest, payload_offset));
    }
    payload_end = payload_offset + store::payload_bytes(record);
  }
  const base::Lock lock(mutex_);
  found_.report.frames += frames;
  found_.report.chunks += chunks;
  if (options_.content) found_.report.bytes_read += pack.blob_bytes;
  found_.sound.emplace(pack.number, payload_end);
  return {};
}

void PackChecks::check_pack(const PackEntry& pack, ProgressMeter& progress) {
  if (options_.stop.stop_requested()) return;
  if (!means_.is_time_left()) {
    const base::Lock lock(mutex_);
    ++found_.report.packs_not_reached;
    return;
  }
  auto directory = store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
  if (!directory) {
    damaged_pack(pack.key, directory.error());
    unread_pack(pack.number, directory.error());
    return findings_.problem(std::move(directory).error());
  }
  auto checked = catching([&] { return check_contents(pack, *directory, progress); });
  if (!checked) {
    unread_pack(pack.number, checked.error());
    findings_.problem(std::move(checked).error().within(pack.key));
  }
  if (means_.cpu != nullptr) means_.cpu->finish_one();
}

Result<void> PackChecks::check_all(const OnProgress& on_progress) {
  std::uint64_t bytes_total = 0;
  for (const PackEntry& pack : packs_) bytes_total += pack.blob_bytes;
  ProgressMeter progress(on_progress, packs_.size(), bytes_total);
  const Work all{*this, progress};
  const auto check_one = [](const Work& work, std::size_t i) {
    work.checks.check_pack(work.checks.packs_[i], work.progress);
    work.progress.add_file();
  };
  for_each_in_order(means_.memory.threads, packs_.size(), all, check_one, means_.cpu.get());
  return progress.told();
}

CheckedPacks PackChecks::take() {
  const base::Lock lock(mutex_);
  found_.report.packs = packs_.size() - found_.report.packs_not_reached;
  found_.packs = std::move(packs_);
  auto& keys = found_.damaged_keys;
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  return std::move(found_);
}

}  // namespace

Result<VerifyMeans> VerifyMeans::make(Store::Parts& parts, const VerifyOptions& options) {
  CHUNKER_TRY(auto memory, plan_threads(*parts.memory, thread_count(options.threads, options.quota),
                                        store::FrameReader::kBytesExpected));
  auto cpu = CpuUse::make_if_any(options.quota, memory.threads);
  return VerifyMeans{std::move(memory), std::move(cpu)};
}

Result<CheckedPacks> check_packs(Store::Parts& parts, const VerifyOptions& options,
                                 const VerifyMeans& means, Findings& findings,
                                 const OnProgress& on_progress) {
  PackChecks checks(parts, options, means, findings);
  CHUNKER_TRY_VOID(checks.check_listing());
  CHUNKER_TRY_VOID(checks.check_all(on_progress));
  CHUNKER_TRY_VOID(findings.go_on());
  return checks.take();
}

}  // namespace chunker::pipeline
