#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "pipeline/verify_findings.hpp"
#include "pipeline/workers.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack_walk.hpp"
#include "store/parts.hpp"
#include "store/salvage.hpp"

// Verify's second half: whether what is needed is among what was found to be sound.
namespace chunker::pipeline {
namespace {

using store::ChunkLocation;
using store::PackEntry;

class UseChecks {
 public:
  UseChecks(Store::Parts& parts, const VerifyOptions& options, const VerifyMeans& means,
            Findings& findings, CheckedPacks packs)
      : parts_(parts),
        options_(options),
        means_(means),
        findings_(findings),
        packs_(std::move(packs)) {}

  Result<VerifyReport> run();

 private:
  Result<void> check_index();
  [[nodiscard]] bool is_sound(const ChunkLocation& location) const;
  using Chunks = std::unordered_set<Digest>;
  Result<void> spread();
  Result<bool> spread_in(const PackEntry& pack, Chunks& chunks);
  Result<bool> spread_to(const std::vector<store::LocatedChunk>& frame, Chunks& chunks);
  Result<void> check_nars();
  Result<void> check_named(const store::NameRecord& name);
  Result<void> check_nar(const Digest& nar_sha256);
  Result<void> check_reference(const ChunkReference& chunk);
  void damaged_nar(const std::string& name, Error error);
  void report_missing();

  Store::Parts& parts_;
  const VerifyOptions& options_;
  const VerifyMeans& means_;
  Findings& findings_;
  CheckedPacks packs_;
};

bool UseChecks::is_sound(const ChunkLocation& location) const {
  const auto pack = packs_.sound.find(location.pack);
  return pack != packs_.sound.end() && location.payload_offset <= pack->second &&
         location.payload_bytes <= pack->second - location.payload_offset;
}

/// Every chunk that the index locates lies in the payload of a sound pack.
Result<void> UseChecks::check_index() {
  std::unordered_set<store::PackNumber> reported;
  return parts_.index->for_each_chunk([&](const auto& chunk) -> Result<void> {
    const auto& [digest, location] = chunk;
    if (is_sound(location)) return {};
    if (packs_.unread_packs.contains(location.pack)) {
      packs_.unread.insert(digest);
      return {};
    }
    packs_.damaged.insert(digest);
    // Once per pack is enough to know.
    if (!packs_.missing.contains(location.pack) && reported.insert(location.pack).second) {
      findings_.problem({ErrorCode::store_corrupt,
                         "the index locates chunks where no sound pack has them",
                         location.payload_offset, "pack number " + std::to_string(location.pack)});
    }
    return {};
  });
}

/// A delta is damaged where its base is, and cannot be read where its base cannot.
Result<void> UseChecks::spread() {
  for (auto* const chunks : {&packs_.damaged, &packs_.unread}) {
    for (bool found = !chunks->empty(); found;) {
      found = false;
      for (const PackEntry& pack : packs_.packs) {
        CHUNKER_TRY(const bool found_here, spread_in(pack, *chunks));
        found |= found_here;
      }
    }
  }
  return {};
}

Result<bool> UseChecks::spread_in(const PackEntry& pack, Chunks& chunks) {
  const auto directory = store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
  if (!directory) return false;  // It is the same with all of its chunks.
  bool found = false;
  for (const auto& [delta, payload_offset] : store::delta_frames(*directory)) {
    const auto is_one = [&chunks](const Digest& digest) { return chunks.contains(digest); };
    if (std::ranges::none_of(delta.base, is_one)) continue;
    CHUNKER_TRY(const bool found_here,
                spread_to(store::chunks_of(delta, pack.number, payload_offset), chunks));
    found |= found_here;
  }
  return found;
}

Result<bool> UseChecks::spread_to(const std::vector<store::LocatedChunk>& frame, Chunks& chunks) {
  bool found = false;
  for (const auto& [digest, location] : frame) {
    CHUNKER_TRY(const auto known, parts_.index->chunk(digest));
    if (known && known->same_frame(location)) found |= chunks.insert(digest).second;
  }
  return found;
}

Result<void> UseChecks::check_reference(const ChunkReference& chunk) {
  CHUNKER_TRY(const auto location, parts_.locate(chunk.digest));
  if (location.chunk_bytes != chunk.size_bytes) {
    return base::fail(ErrorCode::store_corrupt, "manifest and index disagree on a chunk's size",
                      Error::kNoOffset, chunk.digest.hex());
  }
  if (packs_.unread.contains(chunk.digest)) {
    return base::fail(packs_.why_unread, "the NAR needs a chunk that cannot be read",
                      Error::kNoOffset, chunk.digest.hex());
  }
  if (!packs_.damaged.contains(chunk.digest)) return {};
  return base::fail(ErrorCode::store_chunk_missing,
                    packs_.spare.contains(chunk.digest)
                        ? "the NAR needs a chunk that is damaged where the index finds it; another "
                          "copy is good, and repairing takes that"
                        : "the NAR needs a chunk that is damaged",
                    Error::kNoOffset, chunk.digest.hex());
}

Result<void> UseChecks::check_nar(const Digest& nar_sha256) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts_, nar_sha256));
  store::FrameReader reader(parts_);
  CHUNKER_TRY(const Manifest manifest,
              store::decode_manifest(head, store::fetch_pieces(parts_, reader)));
  for (const ChunkReference& chunk : manifest.chunks) CHUNKER_TRY_VOID(check_reference(chunk));
  if (means_.cpu != nullptr) means_.cpu->spend(manifest.chunks.size() * sizeof(ChunkReference));
  return {};
}

void UseChecks::damaged_nar(const std::string& name, Error error) {
  if (error.code == ErrorCode::store_not_found) {
    error.code = ErrorCode::store_chunk_missing;
    error.what = "the NAR's manifest is lost";
  }
  if (options_.repair && store::is_damage(error.code)) {
    error.what = "ingest this NAR again: what it needs is damaged or gone";
  }
  findings_.problem(std::move(error).within(name));
}

Result<void> UseChecks::check_nars() {
  return parts_.index->for_each_name(
      [this](const store::NameRecord& name) { return check_named(name); });
}

Result<void> UseChecks::check_named(const store::NameRecord& name) {
  if (options_.stop.stop_requested()) return {};
  if (!means_.is_time_left()) {
    ++packs_.report.nars_not_reached;
    return {};
  }
  auto checked = catching([&] { return check_nar(name.nar_sha256); });
  if (means_.cpu != nullptr) means_.cpu->finish_one();
  ++packs_.report.nars;
  if (checked) return {};
  ++packs_.report.nars_damaged;
  damaged_nar(name.name, std::move(checked).error());
  return {};
}

/// A gc that was cut off leaves packs in the index that are gone and that nobody needs: no damage.
void UseChecks::report_missing() {
  if (packs_.report.nars_damaged == 0) return;
  for (const auto& [number, key] : packs_.missing) {
    findings_.problem({ErrorCode::store_chunk_missing, "a pack is missing", Error::kNoOffset, key});
  }
}

Result<VerifyReport> UseChecks::run() {
  std::optional<CpuUse::Working> working;
  if (means_.cpu != nullptr) working.emplace(*means_.cpu);
  CHUNKER_TRY_VOID(check_index());
  CHUNKER_TRY_VOID(spread());
  CHUNKER_TRY_VOID(check_nars());
  CHUNKER_TRY_VOID(findings_.go_on());
  report_missing();
  packs_.report.problems = findings_.problem_count();
  return packs_.report;
}

}  // namespace

Result<VerifyReport> check_use(Store::Parts& parts, const VerifyOptions& options,
                               const VerifyMeans& means, Findings& findings, CheckedPacks packs) {
  return UseChecks(parts, options, means, findings, std::move(packs)).run();
}

}  // namespace chunker::pipeline
