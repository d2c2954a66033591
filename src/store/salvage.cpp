#include "store/salvage.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/try.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack.hpp"
#include "store/pack_walk.hpp"
#include "store/rewriter.hpp"

namespace chunker::store {
namespace {

class Salvage {
 public:
  explicit Salvage(Store::Parts& parts) : parts_(parts), rewriter_(parts) {}

  Result<Salvaged> run(std::span<const std::string> keys, Elsewhere elsewhere, Names names);

 private:
  Result<void> find_chunks();
  Result<void> copy_chunks();
  Result<void> copy_intact(std::span<const LocatedChunk> frame);
  Result<bool> is_intact(const LocatedChunk& chunk);
  Result<void> copy_manifests();
  Result<bool> is_intact(const ManifestRecord& record, const ManifestLocation& location);
  Result<void> find_lost();
  Result<void> look_elsewhere();
  Result<void> look_into(const PackEntry& pack);
  Result<void> keep_names();
  Result<void> keep_names(const std::string& key, std::uint64_t blob_bytes);
  Result<void> keep_removed_names();
  Result<void> keep(const NameRecord& name);
  Result<void> keep(const RemovalRecord& removal);

  Store::Parts& parts_;
  Rewriter rewriter_;
  std::unordered_map<PackNumber, PackEntry> packs_;
  std::vector<LocatedChunk> chunks_;  ///< Where the index finds them in these packs.
  std::unordered_set<Digest> lost_;
  std::unordered_set<std::string> kept_names_;
  bool keeps_all_names_ = false;
  std::uint64_t chunks_copied_ = 0;
};

Result<void> Salvage::find_chunks() {
  CHUNKER_TRY_VOID(parts_.index->for_each_chunk([this](const auto& entry) -> Result<void> {
    if (packs_.contains(entry.second.pack)) chunks_.push_back({entry.first, entry.second});
    return {};
  }));
  std::ranges::sort(chunks_, {}, [](const LocatedChunk& chunk) {
    const ChunkLocation& at = chunk.location;
    return std::tuple(at.pack, at.payload_offset, at.offset_in_frame);
  });
  return {};
}

Result<bool> Salvage::is_intact(const LocatedChunk& chunk) {
  const auto read = rewriter_.reader().read(chunk.digest, chunk.location);
  if (!read && !is_damage(read.error().code)) return std::unexpected(read.error());
  return read.has_value();
}

Result<void> Salvage::copy_intact(std::span<const LocatedChunk> frame) {
  std::vector<LocatedChunk> intact;
  for (const LocatedChunk& chunk : frame) {
    CHUNKER_TRY(const bool is_good, is_intact(chunk));
    if (is_good) {
      intact.push_back(chunk);
      lost_.erase(chunk.digest);
    } else {
      lost_.insert(chunk.digest);
    }
  }
  if (intact.empty()) return {};
  chunks_copied_ += intact.size();
  return rewriter_.copy(intact);
}

Result<void> Salvage::copy_chunks() {
  for (auto begin = chunks_.begin(); begin != chunks_.end();) {
    const auto end = std::find_if(begin, chunks_.end(), [&begin](const LocatedChunk& chunk) {
      return !chunk.location.same_frame(begin->location);
    });
    CHUNKER_TRY_VOID(copy_intact({begin, end}));
    begin = end;
  }
  return {};
}

Result<bool> Salvage::is_intact(const ManifestRecord& record, const ManifestLocation& location) {
  const std::string& key = packs_.at(location.pack).key;
  const auto head = read_manifest_head(*parts_.blobs, key, location.payload_offset, record);
  if (!head) CHUNKER_TRY_VOID(unless_damaged(head.error()));
  return head.has_value();
}

Result<void> Salvage::copy_manifests() {
  return parts_.index->for_each_manifest([this](const auto& entry) -> Result<void> {
    const auto& [nar_sha256, location] = entry;
    if (!packs_.contains(location.pack)) return {};
    const ManifestRecord record = location.record_of(nar_sha256);
    CHUNKER_TRY(const bool intact, is_intact(record, location));
    if (!intact) return {};
    return rewriter_.copy(record, location.pack, location.payload_offset);
  });
}

/// What another pack has may be the base of what seemed lost only for want of it: so once more, as long as
/// anything is found.
Result<void> Salvage::find_lost() {
  while (!lost_.empty()) {
    const std::size_t lost_before = lost_.size();
    CHUNKER_TRY_VOID(look_elsewhere());
    if (lost_.size() == lost_before) return {};
    CHUNKER_TRY_VOID(rewriter_.close());  // Bases are read where the index finds them.
    parts_.forget_caches();               // A chunk object was replaced under its key.
    std::erase_if(chunks_, [this](const auto& chunk) { return !lost_.contains(chunk.digest); });
    CHUNKER_TRY_VOID(copy_chunks());
  }
  return {};
}

/// A chunk may have been stored twice: a gc that was cut off, a pack that came back.
Result<void> Salvage::look_elsewhere() {
  return parts_.index->for_each_pack([this](const PackEntry& pack) -> Result<void> {
    return lost_.empty() ? Result<void>{} : look_into(pack);
  });
}

Result<void> Salvage::look_into(const PackEntry& pack) {
  const auto directory = read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
  if (!directory) return unless_damaged(directory.error());
  for (const auto& [record, payload_offset] : PackWalk(*directory)) {
    const auto* frame = std::get_if<FrameRecord>(&record);
    if (frame == nullptr) continue;
    for (const LocatedChunk& chunk : chunks_of(*frame, pack.number, payload_offset)) {
      if (!lost_.contains(chunk.digest)) continue;
      CHUNKER_TRY(const bool intact, is_intact(chunk));
      if (!intact) continue;
      CHUNKER_TRY_VOID(rewriter_.copy({&chunk, 1}));
      lost_.erase(chunk.digest);
      ++chunks_copied_;
    }
  }
  return {};
}

Result<void> Salvage::keep(const NameRecord& name) {
  CHUNKER_TRY(const auto now, parts_.index->name(name.name));
  if (!now || !kept_names_.insert(name.name).second) return {};
  return rewriter_.add(*now);
}

/// What it removed may be recorded in a pack that stays.
Result<void> Salvage::keep(const RemovalRecord& removal) {
  CHUNKER_TRY(const auto now, parts_.index->name(removal.name));
  if (now || !kept_names_.insert(removal.name).second) return {};
  return rewriter_.add(removal);
}

Result<void> Salvage::keep_names(const std::string& key, std::uint64_t blob_bytes) {
  if (key.starts_with("chunks/")) return {};
  const auto directory = read_pack_directory(*parts_.blobs, key, blob_bytes);
  if (!directory) {
    const ErrorCode code = directory.error().code;
    if (code != ErrorCode::store_not_found && !is_damage(code)) {
      return std::unexpected(directory.error());
    }
    // Whichever it recorded: without it they would be gone with the next rebuilding.
    keeps_all_names_ = true;
    return {};
  }
  for (const PackRecord& record : directory->records) {
    if (const auto* name = std::get_if<NameRecord>(&record)) CHUNKER_TRY_VOID(keep(*name));
    if (const auto* removal = std::get_if<RemovalRecord>(&record)) CHUNKER_TRY_VOID(keep(*removal));
  }
  return {};
}

/// A removal that cannot be read any more would, with the next rebuilding, bring its name back. Not that of a pack that
/// cannot be read either.
Result<void> Salvage::keep_removed_names() {
  return parts_.index->for_each_pack([this](const PackEntry& pack) -> Result<void> {
    if (packs_.contains(pack.number) || pack.key.starts_with("chunks/")) return {};
    const auto directory = read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes);
    if (!directory) return unless_damaged(directory.error());
    for (const PackRecord& record : directory->records) {
      const auto* name = std::get_if<NameRecord>(&record);
      if (name != nullptr) CHUNKER_TRY_VOID(keep(RemovalRecord{name->name}));
    }
    return {};
  });
}

Result<void> Salvage::keep_names() {
  for (const auto& [number, pack] : packs_) {
    CHUNKER_TRY_VOID(keep_names(pack.key, pack.blob_bytes));
  }
  if (!keeps_all_names_) return {};
  CHUNKER_TRY_VOID(
      parts_.index->for_each_name([this](const NameRecord& name) { return keep(name); }));
  return keep_removed_names();
}

Result<Salvaged> Salvage::run(std::span<const std::string> keys, Elsewhere elsewhere, Names names) {
  for (const std::string& key : keys) {
    CHUNKER_TRY(auto pack, parts_.index->pack(key));
    if (pack) packs_.emplace(pack->number, *std::move(pack));
  }
  if (!packs_.empty()) {
    CHUNKER_TRY_VOID(find_chunks());
    CHUNKER_TRY_VOID(copy_chunks());
    if (elsewhere == Elsewhere::look) CHUNKER_TRY_VOID(find_lost());
    CHUNKER_TRY_VOID(copy_manifests());
    if (names == Names::keep) CHUNKER_TRY_VOID(keep_names());
    CHUNKER_TRY_VOID(rewriter_.close());
  }
  Salvaged salvaged{chunks_copied_, {lost_.begin(), lost_.end()}, {}};
  std::ranges::sort(salvaged.chunks_lost);
  std::ranges::copy_if(keys, std::back_inserter(salvaged.packs), [this](const std::string& key) {
    return !rewriter_.objects_written().contains(key);
  });
  return salvaged;
}

}  // namespace

bool is_damage(ErrorCode code) noexcept {
  return code == ErrorCode::store_corrupt || code == ErrorCode::digest_mismatch ||
         code == ErrorCode::codec_corrupt || code == ErrorCode::decompressed_too_large ||
         code == ErrorCode::store_chunk_missing;
}

Result<void> unless_damaged(const Error& error) {
  if (error.code == ErrorCode::store_not_found || is_damage(error.code)) return {};
  return std::unexpected(error);
}

Result<Salvaged> salvage(Store::Parts& parts, std::span<const std::string> keys,
                         Elsewhere elsewhere, Names names) {
  return Salvage(parts).run(keys, elsewhere, names);
}

}  // namespace chunker::store
