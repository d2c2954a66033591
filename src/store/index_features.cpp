#include <rocksdb/write_batch.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/try.hpp"
#include "store/index.hpp"
#include "store/index_database.hpp"
#include "store/index_format.hpp"

// Which chunks are like each other: hints for deltas, that cost few bytes and may be wrong or lead nowhere.
namespace chunker::store {

namespace format = index_format;
namespace {

constexpr std::size_t kBatchBytesMax = 4 << 20;

}  // namespace

Result<void> Index::note_features(std::span<const ChunkFeatures> chunks) {
  rocksdb::WriteBatch batch;
  for (const auto& [digest, features] : chunks) {
    for (const std::string& key : format::feature_keys(features)) {
      batch.Put(key, format::feature_value(digest));
    }
  }
  return database_->write(batch);
}

Result<std::vector<Digest>> Index::similar_chunks(std::span<const ChunkFeatures> chunks,
                                                  std::size_t count_max) const {
  std::vector<std::string> keys;
  for (const auto& [digest, features] : chunks) {
    for (std::string& key : format::feature_keys(features)) keys.push_back(std::move(key));
  }
  CHUNKER_TRY(const auto values, database_->get_all(keys));
  std::map<std::string, std::size_t> agreements;
  for (const auto& value : values) {
    if (value) ++agreements[*value];
  }
  std::vector<std::pair<std::size_t, std::string>> best;
  for (const auto& [value, count] : agreements) best.emplace_back(count, value);
  std::ranges::sort(best, std::greater());
  std::vector<Digest> found;
  for (std::size_t i = 0; i < best.size() && found.size() < count_max; ++i) {
    const std::string& begin = best[i].second;
    const auto take_first = [&](std::string_view rest, std::string_view) -> Result<bool> {
      CHUNKER_TRY(const Digest digest, format::decode_digest(begin + std::string(rest)));
      found.push_back(digest);
      return false;
    };
    CHUNKER_TRY_VOID(database_->scan(format::chunk_prefix(begin), take_first));
  }
  return found;
}

Result<void> Index::forget_stale_features() {
  rocksdb::WriteBatch batch;
  const auto check = [&](std::string_view rest, std::string_view value) -> Result<bool> {
    bool leads_somewhere = false;
    CHUNKER_TRY_VOID(database_->scan(format::chunk_prefix(value), [&](auto, auto) -> Result<bool> {
      leads_somewhere = true;
      return false;
    }));
    if (!leads_somewhere) batch.Delete(std::string(format::kFeaturePrefix).append(rest));
    if (batch.GetDataSize() < kBatchBytesMax) return true;
    CHUNKER_TRY_VOID(database_->write(batch));
    batch.Clear();
    return true;
  };
  CHUNKER_TRY_VOID(database_->scan(format::kFeaturePrefix, check));
  return database_->write(batch);
}

}  // namespace chunker::store
