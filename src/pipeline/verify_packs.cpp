#include <algorithm>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/repair.hpp"
#include "pipeline/workers.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack.hpp"
#include "store/parts.hpp"
#include "store/reconcile.hpp"
#include "store/salvage.hpp"

// fsck: packs against the directory listing, packs against their own directories, the index against both, and
// every NAR against what was found to be sound.
namespace chunker {
namespace {

using store::ChunkLocation;
using store::FrameRecord;
using store::ManifestRecord;
using store::PackDirectory;
using store::PackEntry;

class Verifier {
 public:
  Verifier(Store::Parts& parts, const VerifyOptions& options, const OnProblem& on_problem,
           const OnProgress& on_progress)
      : parts_(parts), options_(options), on_problem_(on_problem), on_progress_(on_progress) {}

  /// Every pack, as it lies there.
  Result<void> check_packs();
  /// What the packs are needed for; afterwards.
  Result<VerifyReport> check_use();
  /// Packs that hold damage.
  std::vector<std::string> damaged_packs();
  VerifyReport report();

 private:
  void problem(Error error);
  void note(const Error& error);
  void damaged_pack(const std::string& key, const Error& error);
  void report_missing();
  Result<void> go_on();
  Result<void> check_listing();
  void check_unknown(const store::BlobStore::Listed& blob);
  void check_pack(const PackEntry& pack, pipeline::ProgressMeter& progress);
  Result<void> check_pack_contents(const PackEntry& pack, const PackDirectory& directory,
                                   pipeline::ProgressMeter& progress);
  Result<void> check_base(const FrameRecord& frame);
  Result<void> spread_damage();
  Result<bool> spread_damage_in(const PackEntry& pack);
  Result<void> check_frame(store::FrameReader& reader, const PackEntry& pack,
                           const FrameRecord& frame, std::uint64_t offset);
  Result<void> check_manifest(const PackEntry& pack, const ManifestRecord& manifest,
                              std::uint64_t offset);
  void damaged_copy(const Error& error, const PackEntry& pack, bool needed);
  Result<void> check_index();
  Result<void> check_nars();
  Result<void> check_nar(const Digest& nar_sha256);
  void damaged_nar(const std::string& name, Error error);
  Result<void> check_reference(const ChunkReference& chunk);

  Store::Parts& parts_;
  const VerifyOptions& options_;
  const OnProblem& on_problem_;
  const OnProgress& on_progress_;

  std::vector<PackEntry> packs_;  ///< In the index, there, and of the right size.
  std::unordered_map<store::PackNumber, std::string> missing_;  ///< In the index, not there.
  base::Mutex mutex_;
  std::unordered_set<std::string> damaged_packs_ CHUNKER_GUARDED_BY(mutex_);
  /// Good copies where the index does not look for them.
  std::unordered_set<Digest> spare_ CHUNKER_GUARDED_BY(mutex_);
  std::unordered_map<store::PackNumber, std::uint64_t> sound_ CHUNKER_GUARDED_BY(mutex_);
  std::unordered_set<Digest> damaged_ CHUNKER_GUARDED_BY(mutex_);
  VerifyReport report_ CHUNKER_GUARDED_BY(mutex_);
  std::optional<Error> hindrance_ CHUNKER_GUARDED_BY(mutex_);
};

void Verifier::problem(Error error) {
  const base::Lock lock(mutex_);
  // What may be gone later says nothing about the store: no descriptor left, no memory.
  if (retry(error.code) != Retry::never) {
    if (!hindrance_) hindrance_ = std::move(error);
    return;
  }
  ++report_.problems;
  if (on_problem_) on_problem_(error);
}

void Verifier::note(const Error& error) {
  const base::Lock lock(mutex_);
  if (options_.on_note) options_.on_note(error);
}

void Verifier::damaged_pack(const std::string& key, const Error& error) {
  // What this process cannot read may be good.
  if (!store::is_damage(error.code)) return;
  const base::Lock lock(mutex_);
  damaged_packs_.insert(key);
}

std::vector<std::string> Verifier::damaged_packs() {
  const base::Lock lock(mutex_);
  std::vector<std::string> keys(damaged_packs_.begin(), damaged_packs_.end());
  std::ranges::sort(keys);
  return keys;
}

VerifyReport Verifier::report() {
  const base::Lock lock(mutex_);
  return report_;
}

void Verifier::check_unknown(const store::BlobStore::Listed& blob) {
  // A sound pack that the index does not know was cut off before it was acknowledged: no damage.
  auto directory = store::read_pack_directory(*parts_.blobs, blob.key, blob.size_bytes);
  if (directory) return;
  damaged_pack(blob.key, directory.error());
  problem(std::move(directory).error());
}

/// The blobs that are there, against the packs that the index knows.
Result<void> Verifier::check_listing() {
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
      problem(std::move(error));
    }
    return {};
  };
  CHUNKER_TRY_VOID(parts_.blobs->list("chunks/", check));
  CHUNKER_TRY_VOID(parts_.blobs->list("packs/", check));
  CHUNKER_TRY(const auto missing,
              store::missing_packs(*parts_.blobs, *parts_.index, packs_.size()));
  for (const std::string& key : missing) {
    CHUNKER_TRY(const auto pack, parts_.index->pack(key));
    if (pack && !parts_.blobs->size(key)) missing_.emplace(pack->number, key);
  }
  return {};
}

/// Damage counts where the index sends readers; another copy is as good as garbage.
void Verifier::damaged_copy(const Error& error, const PackEntry& pack, bool needed) {
  damaged_pack(pack.key, error);
  if (needed) {
    problem(error);
  } else {
    note(error);
  }
}

/// Whether the index has the base of a delta.
Result<void> Verifier::check_base(const FrameRecord& frame) {
  CHUNKER_TRY(const auto locations, parts_.index->chunks(frame.base));
  for (std::size_t i = 0; i < locations.size(); ++i) {
    if (locations[i]) continue;
    return base::fail(ErrorCode::store_chunk_missing, "the store does not have the base of a delta",
                      Error::kNoOffset, frame.base[i].hex());
  }
  return {};
}

/// Looks up every chunk of a frame; with `content` decodes it and hashes each.
Result<void> Verifier::check_frame(store::FrameReader& reader, const PackEntry& pack,
                                   const FrameRecord& frame, std::uint64_t offset) {
  ChunkLocation location{
      pack.number, offset, frame.payload_bytes, frame.codec, frame.flags, frame.raw_bytes(), 0, 0};
  Result<void> loaded = check_base(frame);
  if (loaded && options_.content) loaded = reader.load(location);
  bool any_needed = false;
  for (const ChunkReference& chunk : frame.chunks) {
    location.chunk_bytes = chunk.size_bytes;
    CHUNKER_TRY(const auto known, parts_.index->chunk(chunk.digest));
    // A delta may be forgotten: it was garbage, or lost its base for a time.
    if (!known && frame.base.empty()) {
      problem({ErrorCode::store_corrupt, "the index does not know a chunk of this pack", offset,
               pack.key + ": " + chunk.digest.hex()});
    }
    const bool needed = known && known->same_frame(location);
    any_needed |= needed;
    bool good = loaded.has_value();
    if (good && options_.content) {
      const auto bytes = reader.chunk(chunk.digest, location);
      if (!bytes) damaged_copy(bytes.error(), pack, needed);
      good = bytes.has_value();
    }
    if (good != needed && (options_.content || !good)) {
      const base::Lock lock(mutex_);
      (good ? spare_ : damaged_).insert(chunk.digest);
    }
    location.offset_in_frame += chunk.size_bytes;
  }
  if (loaded) return {};
  ByteBuffer base;
  const bool is_base = !frame.base.empty() && !reader.read_base(frame.base, base);
  // What is wrong with a base is no fault of the pack that needs it.
  if (!is_base) {
    damaged_copy(loaded.error(), pack, any_needed);
  } else if (any_needed) {
    problem(loaded.error());
  }
  return {};
}

Result<void> Verifier::check_manifest(const PackEntry& pack, const ManifestRecord& manifest,
                                      std::uint64_t offset) {
  ByteBuffer bytes(static_cast<std::size_t>(manifest.payload_bytes));
  auto read = parts_.blobs->read(pack.key, offset, bytes.span());
  auto head = read ? store::decode_manifest_head(bytes) : std::unexpected(std::move(read).error());
  if (head && head->nar_sha256 == manifest.nar_sha256) return {};
  Error error{ErrorCode::store_corrupt, "a manifest is another NAR's", offset, pack.key};
  if (!head) error = std::move(head).error().within(pack.key);
  CHUNKER_TRY(const auto known, parts_.index->manifest(manifest.nar_sha256));
  damaged_copy(error, pack, known && known->pack == pack.number && known->payload_offset == offset);
  return {};
}

Result<void> Verifier::check_pack_contents(const PackEntry& pack, const PackDirectory& directory,
                                           pipeline::ProgressMeter& progress) {
  store::FrameReader reader(parts_);
  std::uint64_t frames = 0, chunks = 0;
  std::uint64_t offset = store::kPackMagicBytes;
  for (const auto& record : directory.records) {
    if (options_.stop.stop_requested()) break;
    if (const auto* frame = std::get_if<FrameRecord>(&record)) {
      ++frames;
      chunks += frame->chunks.size();
      CHUNKER_TRY_VOID(check_frame(reader, pack, *frame, offset));
      if (options_.content) progress.add_bytes(frame->payload_bytes);
    } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
      if (options_.content) CHUNKER_TRY_VOID(check_manifest(pack, *manifest, offset));
    }
    offset += store::payload_bytes(record);
  }
  const base::Lock lock(mutex_);
  report_.frames += frames;
  report_.chunks += chunks;
  if (options_.content) report_.bytes_read += pack.blob_bytes;
  sound_.emplace(pack.number, offset);
  return {};
}

void Verifier::check_pack(const PackEntry& pack, pipeline::ProgressMeter& progress) {
  if (options_.stop.stop_requested()) return;
  auto directory = store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
  if (!directory) {
    damaged_pack(pack.key, directory.error());
    return problem(std::move(directory).error());
  }
  auto checked =
      pipeline::catching([&] { return check_pack_contents(pack, *directory, progress); });
  if (!checked) problem(std::move(checked).error().within(pack.key));
}

/// Every chunk that the index locates lies in the payload of a sound pack.
Result<void> Verifier::check_index() {
  std::unordered_set<store::PackNumber> reported;
  return parts_.index->for_each_chunk([&](const auto& chunk) -> Result<void> {
    const auto& [digest, location] = chunk;
    bool sound = false;
    {
      const base::Lock lock(mutex_);
      const auto pack = sound_.find(location.pack);
      sound = pack != sound_.end() && location.payload_offset <= pack->second &&
              location.payload_bytes <= pack->second - location.payload_offset;
      if (!sound) damaged_.insert(digest);
    }
    // Once per pack is enough to know.
    if (!sound && !missing_.contains(location.pack) && reported.insert(location.pack).second) {
      problem({ErrorCode::store_corrupt, "the index locates chunks where no sound pack has them",
               location.payload_offset, "pack number " + std::to_string(location.pack)});
    }
    return {};
  });
}

/// A delta is damaged where its base is.
Result<void> Verifier::spread_damage() {
  for (bool found = true; found;) {
    {
      const base::Lock lock(mutex_);
      if (damaged_.empty()) return {};
    }
    found = false;
    for (const PackEntry& pack : packs_) {
      CHUNKER_TRY(const bool found_here, spread_damage_in(pack));
      found |= found_here;
    }
  }
  return {};
}

Result<bool> Verifier::spread_damage_in(const PackEntry& pack) {
  const auto directory = store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
  if (!directory) return false;  // Its chunks are damaged anyway.
  bool found = false;
  std::uint64_t offset = store::kPackMagicBytes;
  for (const auto& record : directory->records) {
    if (const auto* frame = std::get_if<FrameRecord>(&record); frame && !frame->base.empty()) {
      const ChunkLocation here{.pack = pack.number, .payload_offset = offset};
      std::vector<Digest> needed;
      for (const ChunkReference& chunk : frame->chunks) {
        CHUNKER_TRY(const auto known, parts_.index->chunk(chunk.digest));
        if (known && known->same_frame(here)) needed.push_back(chunk.digest);
      }
      const base::Lock lock(mutex_);
      const auto is_damaged = [this](const Digest& digest)
                                  CHUNKER_REQUIRES(mutex_) { return damaged_.contains(digest); };
      if (std::ranges::any_of(frame->base, is_damaged)) {
        for (const Digest& digest : needed) found |= damaged_.insert(digest).second;
      }
    }
    offset += store::payload_bytes(record);
  }
  return found;
}

Result<void> Verifier::check_reference(const ChunkReference& chunk) {
  CHUNKER_TRY(const auto location, parts_.locate(chunk.digest));
  if (location.chunk_bytes != chunk.size_bytes) {
    return base::fail(ErrorCode::store_corrupt, "manifest and index disagree on a chunk's size",
                      Error::kNoOffset, chunk.digest.hex());
  }
  const base::Lock lock(mutex_);
  if (!damaged_.contains(chunk.digest)) return {};
  return base::fail(ErrorCode::store_chunk_missing,
                    spare_.contains(chunk.digest)
                        ? "the NAR needs a chunk that is damaged where the index finds it; another "
                          "copy is good, and repairing takes that"
                        : "the NAR needs a chunk that is damaged",
                    Error::kNoOffset, chunk.digest.hex());
}

Result<void> Verifier::check_nar(const Digest& nar_sha256) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts_, nar_sha256));
  store::FrameReader reader(parts_);
  CHUNKER_TRY(const Manifest manifest,
              store::decode_manifest(head, store::fetch_pieces(parts_, reader)));
  for (const ChunkReference& chunk : manifest.chunks) CHUNKER_TRY_VOID(check_reference(chunk));
  return {};
}

void Verifier::damaged_nar(const std::string& name, Error error) {
  if (error.code == ErrorCode::store_not_found) {
    error.code = ErrorCode::store_chunk_missing;
    error.what = "the NAR's manifest is lost";
  }
  if (options_.repair && retry(error.code) == Retry::never) {
    error.what = "ingest this NAR again: what it needs is damaged or gone";
  }
  problem(std::move(error).within(name));
}

Result<void> Verifier::check_nars() {
  return parts_.index->for_each_name([&](const store::NameRecord& name) -> Result<void> {
    if (options_.stop.stop_requested()) return {};
    auto checked = pipeline::catching([&] { return check_nar(name.nar_sha256); });
    if (!checked) damaged_nar(name.name, std::move(checked).error());
    const base::Lock lock(mutex_);
    ++report_.nars;
    if (!checked) ++report_.nars_damaged;
    return {};
  });
}

/// A gc that was cut off leaves packs in the index that are gone and that nobody needs: no damage.
void Verifier::report_missing() {
  {
    const base::Lock lock(mutex_);
    if (report_.nars_damaged == 0) return;
  }
  for (const auto& [number, key] : missing_) {
    problem({ErrorCode::store_chunk_missing, "a pack is missing", Error::kNoOffset, key});
  }
}

/// Errors: what keeps this from being finished, a request to stop among them.
Result<void> Verifier::go_on() {
  if (options_.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  const base::Lock lock(mutex_);
  if (hindrance_) return std::unexpected(*hindrance_);
  return {};
}

Result<void> Verifier::check_packs() {
  CHUNKER_TRY_VOID(check_listing());
  std::uint64_t bytes_total = 0;
  for (const PackEntry& pack : packs_) bytes_total += pack.blob_bytes;
  pipeline::ProgressMeter progress(on_progress_, packs_.size(), bytes_total);
  pipeline::for_each_in_order(pipeline::thread_count(options_.threads), packs_.size(),
                              [&](std::size_t i) {
                                check_pack(packs_[i], progress);
                                progress.add_file();
                              });
  return go_on();
}

Result<VerifyReport> Verifier::check_use() {
  CHUNKER_TRY_VOID(check_index());
  CHUNKER_TRY_VOID(spread_damage());
  CHUNKER_TRY_VOID(check_nars());
  CHUNKER_TRY_VOID(go_on());
  report_missing();
  const base::Lock lock(mutex_);
  report_.packs = packs_.size();
  return report_;
}

Result<VerifyReport> check(Store::Parts& parts, const VerifyOptions& options,
                           const OnProblem& on_problem, const OnProgress& on_progress) {
  const std::shared_lock reading(parts.reading);
  Verifier verifier(parts, options, on_problem, on_progress);
  CHUNKER_TRY_VOID(verifier.check_packs());
  return verifier.check_use();
}

void tell(const store::Salvaged& salvaged, const OnProblem& on_note) {
  if (!on_note) return;
  for (const Digest& digest : salvaged.chunks_lost) {
    on_note({ErrorCode::store_chunk_missing, "no intact copy of this chunk is left",
             Error::kNoOffset, digest.hex()});
  }
  for (const std::string& key : salvaged.packs) {
    on_note({ErrorCode::store_corrupt, "this pack was damaged and lies in damaged/ now",
             Error::kNoOffset, key});
  }
}

/// Every byte first; then, with the damage out of the way, what is needed and no longer there.
Result<VerifyReport> check_and_repair(Store::Parts& parts, const VerifyOptions& options,
                                      const OnProblem& on_problem, const OnProgress& on_progress) {
  const base::Lock writing(parts.writing);
  CHUNKER_TRY_VOID(parts.check_settled());
  Verifier verifier(parts, options, on_problem, on_progress);
  {
    const std::shared_lock reading(parts.reading);
    CHUNKER_TRY_VOID(verifier.check_packs());
    if (verifier.damaged_packs().empty()) return verifier.check_use();
  }
  CHUNKER_TRY(const auto salvaged,
              pipeline::set_aside(parts, verifier.damaged_packs(), options.on_wait));
  tell(salvaged, options.on_note);
  auto structure = options;
  structure.content = false;
  CHUNKER_TRY(auto report, check(parts, structure, on_problem, {}));
  report.problems += verifier.report().problems;
  report.bytes_read = verifier.report().bytes_read;
  report.packs_set_aside = salvaged.packs.size();
  report.chunks_saved = salvaged.chunks_copied;
  report.chunks_lost = salvaged.chunks_lost.size();
  return report;
}

}  // namespace

Result<VerifyReport> verify(const Store& store, const VerifyOptions& options,
                            const OnProblem& on_problem, const OnProgress& on_progress) {
  Store::Parts& parts = store.parts();
  if (!options.repair) {
    return pipeline::catching([&] { return check(parts, options, on_problem, on_progress); });
  }
  if (!options.content || parts.options.access != StoreAccess::write) {
    return base::fail(ErrorCode::invalid_argument,
                      "repairing needs every byte checked, and a store open for writing");
  }
  return pipeline::catching(
      [&] { return check_and_repair(parts, options, on_problem, on_progress); });
}

}  // namespace chunker
