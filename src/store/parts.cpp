#include "store/parts.hpp"

#include "base/try.hpp"

namespace chunker {

Result<std::string> Store::Parts::pack_key(store::PackNumber number) {
  {
    const base::Lock lock(mutex_);
    if (const auto found = pack_keys_.find(number); found != pack_keys_.end()) return found->second;
  }
  CHUNKER_TRY(auto key, index->pack_key(number));
  if (!key) {
    return base::fail(ErrorCode::store_chunk_missing, "the index has no pack of this number",
                      Error::kNoOffset, std::to_string(number));
  }
  const base::Lock lock(mutex_);
  if (pack_keys_.size() >= kPackKeysMax) pack_keys_.clear();
  return pack_keys_.emplace(number, *std::move(key)).first->second;
}

Result<void> Store::Parts::check_settled() const {
  if (!unsettled) return {};
  return base::fail(ErrorCode::io_unavailable,
                    "an earlier change of this store failed half-way; open it again",
                    Error::kNoOffset, directory.string());
}

Result<store::ChunkLocation> Store::Parts::locate(const Digest& digest) const {
  CHUNKER_TRY(const auto location, index->chunk(digest));
  if (!location) {
    return base::fail(ErrorCode::store_chunk_missing, "the store does not have this chunk",
                      Error::kNoOffset, digest.hex());
  }
  return *location;
}

}  // namespace chunker
