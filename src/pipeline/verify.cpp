#include <atomic>
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
#include "pipeline/workers.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack.hpp"
#include "store/parts.hpp"

// fsck: packs against the directory listing, packs against their own directories, the index against both, and
// every NAR against what was found to be sound.
namespace chunker {
namespace {

using store::ChunkLocation;
using store::FrameRecord;
using store::PackDirectory;
using store::PackEntry;

class Verifier {
 public:
  Verifier(Store::Parts& parts, const VerifyOptions& options, const OnProblem& on_problem,
           const OnProgress& on_progress)
      : parts_(parts), options_(options), on_problem_(on_problem), on_progress_(on_progress) {}

  Result<VerifyReport> run();

 private:
  void problem(Error error);
  void report_missing();
  Result<void> not_hindered();
  Result<void> check_listing();
  void check_pack(const PackEntry& pack, pipeline::ProgressMeter& progress);
  Result<void> check_pack_contents(const PackEntry& pack, const PackDirectory& directory,
                                   pipeline::ProgressMeter& progress);
  void check_frame(store::FrameReader& reader, const FrameRecord& frame, ChunkLocation location);
  Result<void> check_index();
  Result<void> check_nars();
  Result<void> check_nar(const Digest& nar_sha256);
  Result<void> check_reference(const ChunkReference& chunk);

  Store::Parts& parts_;
  const VerifyOptions& options_;
  const OnProblem& on_problem_;
  const OnProgress& on_progress_;

  std::vector<PackEntry> packs_;  ///< In the index, there, and of the right size.
  std::unordered_map<store::PackNumber, std::string> missing_;  ///< In the index, not there.
  base::Mutex mutex_;
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

/// The blobs that are there, against the packs that the index knows.
Result<void> Verifier::check_listing() {
  std::unordered_map<std::string, std::uint64_t> there;
  const auto note = [&there](const store::BlobStore::Listed& blob) -> Result<void> {
    there.emplace(blob.key, blob.size_bytes);
    return {};
  };
  CHUNKER_TRY_VOID(parts_.blobs->list("chunks/", note));
  CHUNKER_TRY_VOID(parts_.blobs->list("packs/", note));
  CHUNKER_TRY_VOID(parts_.index->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    const auto found = there.find(pack.key);
    if (found == there.end()) {
      missing_.emplace(pack.number, pack.key);
      return {};
    }
    if (found->second == pack.blob_bytes) {
      packs_.push_back(pack);
    } else {
      problem({ErrorCode::store_corrupt, "a pack does not have its recorded size", found->second,
               pack.key});
    }
    there.erase(found);
    return {};
  }));
  for (const auto& [key, size_bytes] : there) {
    // A sound pack that the index does not know was cut off before it was acknowledged: no damage.
    auto directory = store::read_pack_directory(*parts_.blobs, key, size_bytes);
    if (!directory) problem(std::move(directory).error());
  }
  return {};
}

/// Decodes one frame and hashes every chunk of it.
void Verifier::check_frame(store::FrameReader& reader, const FrameRecord& frame,
                           ChunkLocation location) {
  const auto loaded = reader.load(location);
  if (!loaded) problem(loaded.error());
  for (const ChunkReference& chunk : frame.chunks) {
    location.chunk_bytes = chunk.size_bytes;
    bool sound = loaded.has_value();
    if (sound) {
      if (auto bytes = reader.chunk(chunk.digest, location); !bytes) {
        problem(std::move(bytes).error());
        sound = false;
      }
    }
    if (!sound) {
      const base::Lock lock(mutex_);
      damaged_.insert(chunk.digest);
    }
    location.offset_in_frame += chunk.size_bytes;
  }
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
      for (const ChunkReference& chunk : frame->chunks) {
        CHUNKER_TRY(const auto known, parts_.index->chunk(chunk.digest));
        if (!known) {
          problem({ErrorCode::store_corrupt, "the index does not know a chunk of this pack", offset,
                   pack.key + ": " + chunk.digest.hex()});
        }
      }
      if (options_.content) {
        check_frame(reader, *frame,
                    {pack.number, offset, frame->payload_bytes, frame->codec, frame->flags,
                     frame->raw_bytes(), 0, 0});
        progress.add_bytes(frame->payload_bytes);
      }
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
  if (!directory) return problem(std::move(directory).error());
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

Result<void> Verifier::check_reference(const ChunkReference& chunk) {
  CHUNKER_TRY(const auto location, parts_.locate(chunk.digest));
  if (location.chunk_bytes != chunk.size_bytes) {
    return base::fail(ErrorCode::store_corrupt, "manifest and index disagree on a chunk's size",
                      Error::kNoOffset, chunk.digest.hex());
  }
  const base::Lock lock(mutex_);
  if (damaged_.contains(chunk.digest)) {
    return base::fail(ErrorCode::store_chunk_missing, "the NAR needs a chunk that is damaged",
                      Error::kNoOffset, chunk.digest.hex());
  }
  return {};
}

Result<void> Verifier::check_nar(const Digest& nar_sha256) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts_, nar_sha256));
  store::FrameReader reader(parts_);
  CHUNKER_TRY(const Manifest manifest,
              store::decode_manifest(head, store::fetch_pieces(parts_, reader)));
  for (const ChunkReference& chunk : manifest.chunks) CHUNKER_TRY_VOID(check_reference(chunk));
  return {};
}

Result<void> Verifier::check_nars() {
  return parts_.index->for_each_name([&](const store::NameRecord& name) -> Result<void> {
    if (options_.stop.stop_requested()) return {};
    auto checked = pipeline::catching([&] { return check_nar(name.nar_sha256); });
    if (!checked) problem(std::move(checked).error().within(name.name));
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

Result<void> Verifier::not_hindered() {
  const base::Lock lock(mutex_);
  if (hindrance_) return std::unexpected(*hindrance_);
  return {};
}

Result<VerifyReport> Verifier::run() {
  CHUNKER_TRY_VOID(check_listing());
  std::uint64_t bytes_total = 0;
  for (const PackEntry& pack : packs_) bytes_total += pack.blob_bytes;
  pipeline::ProgressMeter progress(on_progress_, packs_.size(), bytes_total);
  pipeline::for_each_in_order(pipeline::thread_count(options_.threads), packs_.size(),
                              [&](std::size_t i) {
                                check_pack(packs_[i], progress);
                                progress.add_file();
                              });
  CHUNKER_TRY_VOID(not_hindered());
  CHUNKER_TRY_VOID(check_index());
  CHUNKER_TRY_VOID(check_nars());
  CHUNKER_TRY_VOID(not_hindered());
  report_missing();
  if (options_.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  const base::Lock lock(mutex_);
  report_.packs = packs_.size();
  return report_;
}

}  // namespace

Result<VerifyReport> verify(const Store& store, const VerifyOptions& options,
                            const OnProblem& on_problem, const OnProgress& on_progress) {
  const std::shared_lock reading(store.parts().reading);
  return pipeline::catching(
      [&] { return Verifier(store.parts(), options, on_problem, on_progress).run(); });
}

}  // namespace chunker
