#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/try.hpp"
#include "store/index.hpp"
#include "store/index_database.hpp"
#include "store/index_format.hpp"
#include "store/pack_walk.hpp"

// How packs enter and leave the index.
namespace chunker::store {
namespace {

namespace format = index_format;
using base::fail;

/// Of what need not be one atomic step.
constexpr std::size_t kBatchBytesMax = 4 << 20;

Result<std::uint64_t> setting(const IndexDatabase& database, std::string_view name) {
  CHUNKER_TRY(const auto value, database.get(format::setting_key(name)));
  if (!value) return 0;
  return format::decode_number(*value);
}

/// The records of one pack on their way into one batch.
class PackUpdate {
 public:
  PackUpdate(const Index& index, PackNumber pack) : index_(index), pack_(pack) {}

  Result<void> add(const FrameRecord& frame, std::uint64_t payload_offset) {
    for (const auto& [digest, location] : chunks_of(frame, pack_, payload_offset)) {
      batch_.Put(format::chunk_key(digest), format::encode(location));
    }
    return {};
  }

  Result<void> add(const ManifestRecord& manifest, std::uint64_t payload_offset) {
    const ManifestLocation location{pack_, payload_offset, manifest.payload_bytes,
                                    manifest.nar_bytes, manifest.chunk_count};
    batch_.Put(format::manifest_key(manifest.nar_sha256), format::encode(location));
    lost_names_.erase(manifest.nar_sha256);  // Its names may come in a later pack.
    return {};
  }

  Result<void> add(const NameRecord& record, std::uint64_t) {
    CHUNKER_TRY_VOID(unname(record.name));
    batch_.Put(format::name_key(record.name), format::encode(record));
    batch_.Put(format::nar_name_key(record.nar_sha256, record.name), {});
    for (const std::string& key : format::version_keys(record.name)) {
      batch_.Put(key, rocksdb::Slice(text_of(record.nar_sha256.view())));
    }
    names_[record.name] = record.nar_sha256;
    return {};
  }

  Result<void> add(const RemovalRecord& removal, std::uint64_t) {
    CHUNKER_TRY_VOID(unname(removal.name));
    batch_.Delete(format::name_key(removal.name));
    names_[removal.name] = std::nullopt;
    return {};
  }

  /// Call it once, last.
  rocksdb::WriteBatch finish() && { return std::move(batch_); }

  /// Drops the manifests that have no name left, once everything is added.
  Result<void> forget_nameless() {
    std::set<Digest> named;
    for (const auto& [name, nar] : names_) {
      if (nar) named.insert(*nar);
    }
    for (const Digest& nar : lost_names_) {
      if (named.contains(nar)) continue;
      CHUNKER_TRY(const auto names_before, index_.names_of(nar));
      const auto untouched = [this](const std::string& name) { return !names_.contains(name); };
      if (std::ranges::none_of(names_before, untouched)) batch_.Delete(format::manifest_key(nar));
    }
    return {};
  }

 private:
  /// Takes the name from the NAR that it means by now.
  Result<void> unname(const std::string& name) {
    std::optional<Digest> nar;
    if (const auto changed = names_.find(name); changed != names_.end()) {
      nar = changed->second;
    } else {
      CHUNKER_TRY(const auto record, index_.name(name));
      if (record) nar = record->nar_sha256;
    }
    if (!nar) return {};
    batch_.Delete(format::nar_name_key(*nar, name));
    lost_names_.insert(*nar);
    return {};
  }

  const Index& index_;
  const PackNumber pack_;
  rocksdb::WriteBatch batch_;
  std::map<std::string, std::optional<Digest>> names_;  ///< What this pack made of them so far.
  std::set<Digest> lost_names_;  ///< NARs that lost a name, perhaps their last.
};

void forget_entry(rocksdb::WriteBatch& batch, const PackEntry& pack) {
  batch.Delete(format::pack_key(pack.key));
  batch.Delete(format::pack_number_key(pack.number));
}

}  // namespace

Result<void> Index::add_pack(std::string_view key, std::uint64_t blob_bytes,
                             const PackDirectory& directory, Nameless nameless) {
  const base::Lock lock(database_->update_mutex());
  CHUNKER_TRY(const auto known, pack(key));
  CHUNKER_TRY(const std::uint64_t next_pack, setting(*database_, format::kSettingNextPack));
  CHUNKER_TRY(const std::uint64_t sequence, setting(*database_, format::kSettingSequence));
  if (next_pack > std::numeric_limits<PackNumber>::max()) {
    return fail(ErrorCode::unsupported, "no pack number is left; run chunker rebuild-index");
  }
  const PackEntry entry{std::string(key),
                        known ? known->number : static_cast<PackNumber>(next_pack),
                        directory.sequence, blob_bytes};
  PackUpdate update(*this, entry.number);
  for (const auto& [record, payload_offset] : PackWalk(directory)) {
    CHUNKER_TRY_VOID(
        std::visit([&](const auto& kind) { return update.add(kind, payload_offset); }, record));
  }
  if (nameless == Nameless::forget) CHUNKER_TRY_VOID(update.forget_nameless());
  auto batch = std::move(update).finish();
  batch.Put(format::pack_key(key), format::encode(entry));
  batch.Put(format::pack_number_key(entry.number), key);
  if (!known) {
    batch.Put(format::setting_key(format::kSettingNextPack), format::encode(next_pack + 1));
  }
  if (directory.sequence > sequence) {
    batch.Put(format::setting_key(format::kSettingSequence), format::encode(directory.sequence));
  }
  return database_->write(batch);
}

Result<void> Index::forget_pack(std::string_view key, const PackDirectory& directory) {
  const base::Lock lock(database_->update_mutex());
  CHUNKER_TRY(const auto known, pack(key));
  if (!known) return {};
  rocksdb::WriteBatch batch;
  std::vector<Digest> digests;
  for (const PackRecord& record : directory.records) {
    if (const auto* frame = std::get_if<FrameRecord>(&record)) {
      for (const ChunkReference& chunk : frame->chunks) digests.push_back(chunk.digest);
    } else if (const auto* manifest_record = std::get_if<ManifestRecord>(&record)) {
      CHUNKER_TRY(const auto location, manifest(manifest_record->nar_sha256));
      if (location && location->pack == known->number) {
        batch.Delete(format::manifest_key(manifest_record->nar_sha256));
      }
    }
  }
  CHUNKER_TRY(const auto locations, chunks(digests));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (locations[i] && locations[i]->pack == known->number) {
      batch.Delete(format::chunk_key(digests[i]));
    }
  }
  forget_entry(batch, *known);
  return database_->write(batch);
}

Result<void> Index::relocate(const std::unordered_map<Digest, ChunkLocation>& chunks,
                             const std::unordered_map<Digest, ManifestLocation>& manifests) {
  const base::Lock lock(database_->update_mutex());
  rocksdb::WriteBatch batch;
  const auto put = [&](const std::string& key, const std::string& value) -> Result<void> {
    batch.Put(key, value);
    if (batch.GetDataSize() < kBatchBytesMax) return {};
    CHUNKER_TRY_VOID(database_->write(batch));
    batch.Clear();
    return {};
  };
  for (const auto& [digest, location] : chunks) {
    CHUNKER_TRY_VOID(put(format::chunk_key(digest), format::encode(location)));
  }
  for (const auto& [nar_sha256, location] : manifests) {
    CHUNKER_TRY_VOID(put(format::manifest_key(nar_sha256), format::encode(location)));
  }
  return database_->write(batch);
}

Result<void> Index::forget_chunks(std::span<const Digest> digests) {
  const base::Lock lock(database_->update_mutex());
  rocksdb::WriteBatch batch;
  for (const Digest& digest : digests) batch.Delete(format::chunk_key(digest));
  return database_->write(batch);
}

Result<void> Index::forget_nameless() {
  const base::Lock lock(database_->update_mutex());
  rocksdb::WriteBatch batch;
  const auto forget_if_nameless = [&](const auto& entry) -> Result<void> {
    CHUNKER_TRY(const auto names, names_of(entry.first));
    if (names.empty()) batch.Delete(format::manifest_key(entry.first));
    if (batch.GetDataSize() < kBatchBytesMax) return {};
    CHUNKER_TRY_VOID(database_->write(batch));
    batch.Clear();
    return {};
  };
  CHUNKER_TRY_VOID(for_each_manifest(forget_if_nameless));
  return database_->write(batch);
}

Result<void> Index::forget_lost_packs(std::span<const std::string> keys) {
  const base::Lock lock(database_->update_mutex());
  std::map<PackNumber, PackEntry> lost;
  for (const std::string& key : keys) {
    CHUNKER_TRY(const auto known, pack(key));
    if (known) lost.emplace(known->number, *known);
  }
  if (lost.empty()) return {};
  rocksdb::WriteBatch batch;
  const auto drop = [&](PackNumber number, const std::string& entry_key) -> Result<void> {
    if (!lost.contains(number)) return {};
    batch.Delete(entry_key);
    if (batch.GetDataSize() < kBatchBytesMax) return {};
    CHUNKER_TRY_VOID(database_->write(batch));
    batch.Clear();
    return {};
  };
  CHUNKER_TRY_VOID(for_each_chunk(
      [&](const auto& entry) { return drop(entry.second.pack, format::chunk_key(entry.first)); }));
  CHUNKER_TRY_VOID(for_each_manifest([&](const auto& entry) {
    return drop(entry.second.pack, format::manifest_key(entry.first));
  }));
  // Last: as long as a lost pack is known, the next writer finds it missing and starts this anew.
  for (const auto& [number, entry] : lost) forget_entry(batch, entry);
  return database_->write(batch);
}

Result<void> Index::forget_lost_pack(std::string_view key) {
  const std::string one(key);
  return forget_lost_packs({&one, 1});
}

}  // namespace chunker::store
