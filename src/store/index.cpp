#include "store/index.hpp"

#include <array>
#include <string>

#include "base/hex.hpp"
#include "base/try.hpp"
#include "store/index_database.hpp"
#include "store/index_format.hpp"

namespace chunker::store {

namespace format = index_format;

Index::Index(std::unique_ptr<IndexDatabase> database) : database_(std::move(database)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& directory, Access access,
                                           std::shared_ptr<MemoryBudget> memory) {
  CHUNKER_TRY(auto database,
              IndexDatabase::open(directory, access == Access::write, std::move(memory)));
  return std::unique_ptr<Index>(new Index(std::move(database)));
}

Result<std::optional<ChunkLocation>> Index::chunk(const Digest& digest) const {
  CHUNKER_TRY(const auto value, database_->get(format::chunk_key(digest)));
  if (!value) return std::nullopt;
  return format::decode_chunk(*value);
}

Result<std::vector<std::optional<ChunkLocation>>> Index::chunks(
    std::span<const Digest> digests) const {
  std::vector<std::string> keys;
  keys.reserve(digests.size());
  for (const Digest& digest : digests) keys.push_back(format::chunk_key(digest));
  CHUNKER_TRY(const auto values, database_->get_all(keys));
  std::vector<std::optional<ChunkLocation>> locations(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) {
      CHUNKER_TRY(locations[i], format::decode_chunk(*values[i]));
    }
  }
  return locations;
}

Result<std::optional<ManifestLocation>> Index::manifest(const Digest& nar_sha256) const {
  CHUNKER_TRY(const auto value, database_->get(format::manifest_key(nar_sha256)));
  if (!value) return std::nullopt;
  return format::decode_manifest(*value);
}

Result<std::optional<NameRecord>> Index::name(std::string_view name) const {
  CHUNKER_TRY(const auto value, database_->get(format::name_key(name)));
  if (!value) return std::nullopt;
  return format::decode_name(name, *value);
}

Result<std::optional<Digest>> Index::newest_version(std::string_view name) const {
  for (const std::string& key : format::version_keys(name)) {
    CHUNKER_TRY(const auto value, database_->get(key));
    if (value) return format::decode_digest(*value);
  }
  return std::nullopt;
}

Result<std::optional<PackEntry>> Index::pack(std::string_view key) const {
  CHUNKER_TRY(const auto value, database_->get(format::pack_key(key)));
  if (!value) return std::nullopt;
  return format::decode_pack(key, *value);
}

Result<std::optional<std::string>> Index::pack_key(PackNumber number) const {
  return database_->get(format::pack_number_key(number));
}

Result<void> Index::for_each_name(const Visit<NameRecord>& visit) const {
  return database_->scan("N", [&](std::string_view rest, std::string_view value) -> Result<bool> {
    CHUNKER_TRY(const NameRecord record, format::decode_name(rest, value));
    CHUNKER_TRY_VOID(visit(record));
    return true;
  });
}

Result<void> Index::for_each_pack(const Visit<PackEntry>& visit) const {
  return database_->scan("P", [&](std::string_view rest, std::string_view value) -> Result<bool> {
    CHUNKER_TRY(const PackEntry pack, format::decode_pack(rest, value));
    CHUNKER_TRY_VOID(visit(pack));
    return true;
  });
}

Result<void> Index::for_each_manifest(
    const Visit<std::pair<Digest, ManifestLocation>>& visit) const {
  return database_->scan("M", [&](std::string_view rest, std::string_view value) -> Result<bool> {
    CHUNKER_TRY(const Digest digest, format::decode_digest(rest));
    CHUNKER_TRY(const ManifestLocation location, format::decode_manifest(value));
    CHUNKER_TRY_VOID(visit({digest, location}));
    return true;
  });
}

Result<void> Index::for_each_chunk(const Visit<std::pair<Digest, ChunkLocation>>& visit) const {
  return database_->scan("C", [&](std::string_view rest, std::string_view value) -> Result<bool> {
    CHUNKER_TRY(const Digest digest, format::decode_digest(rest));
    CHUNKER_TRY(const ChunkLocation location, format::decode_chunk(value));
    CHUNKER_TRY_VOID(visit({digest, location}));
    return true;
  });
}

Result<std::vector<Digest>> Index::manifests_with_prefix(std::string_view hex,
                                                         std::size_t count_max) const {
  std::vector<Digest> found;
  // Filled up with zeros, the prefix is the first digest that can fit.
  std::string filled(hex);
  filled.resize(2 * Digest::kBytes, '0');
  const auto first = Digest::from_hex(filled);
  if (!first || hex.size() > filled.size() || count_max == 0) return found;
  const std::string wanted = first->hex().substr(0, hex.size());
  const auto visit = [&](std::string_view rest, std::string_view) -> Result<bool> {
    CHUNKER_TRY(const Digest digest, format::decode_digest(rest));
    if (!digest.hex().starts_with(wanted)) return false;
    found.push_back(digest);
    return found.size() < count_max;
  };
  CHUNKER_TRY_VOID(database_->scan("M", visit, format::manifest_key(*first)));
  return found;
}

Result<std::vector<std::string>> Index::names_of(const Digest& nar_sha256) const {
  std::vector<std::string> names;
  CHUNKER_TRY_VOID(database_->scan(format::nar_name_key(nar_sha256, ""),
                                   [&](std::string_view rest, std::string_view) -> Result<bool> {
                                     names.emplace_back(rest);
                                     return true;
                                   }));
  return names;
}

Result<std::uint64_t> Index::highest_sequence() const {
  CHUNKER_TRY(const auto value, database_->get(format::setting_key(format::kSettingSequence)));
  if (!value) return 0;
  return format::decode_number(*value);
}

Result<void> Index::sync() { return database_->sync(); }

Result<void> Index::flush() { return database_->flush(); }

}  // namespace chunker::store
