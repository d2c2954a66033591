#include "store/parts.hpp"

#include "base/try.hpp"
#include "store/pack_walk.hpp"
#include "store/second_look.hpp"

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

Result<Store::Parts::PackBases> Store::Parts::read_bases(store::PackNumber number) {
  CHUNKER_TRY(const std::string key, pack_key(number));
  const auto bytes = blobs->size(key);
  if (!bytes) return std::unexpected(store::of_what_lies_there(bytes.error()));
  const auto pack = store::read_pack_directory(*blobs, key, *bytes);
  if (!pack) return std::unexpected(store::of_what_lies_there(pack.error()));
  PackBases bases;
  for (const auto& [delta, payload_offset] : store::delta_frames(*pack)) {
    bases.emplace(payload_offset, std::make_shared<const std::vector<Digest>>(delta.base));
  }
  return bases;
}

Result<std::shared_ptr<const std::vector<Digest>>> Store::Parts::base_of(
    const store::ChunkLocation& frame) {
  const auto found_in = [&frame](const PackBases& bases) {
    const auto found = bases.find(frame.payload_offset);
    return found == bases.end() ? nullptr : found->second;
  };
  {
    const base::Lock lock(mutex_);
    const auto known = bases_.find(frame.pack);
    if (known != bases_.end()) {
      if (auto base = found_in(known->second)) return base;
    }
  }
  CHUNKER_TRY(auto bases, read_bases(frame.pack));
  auto base = found_in(bases);
  if (!base) {
    return base::fail(ErrorCode::store_corrupt, "the index and a pack disagree on a delta",
                      frame.payload_offset, std::to_string(frame.pack));
  }
  std::size_t digests = 0;
  for (const auto& [offset, list] : bases) digests += list->size();
  const base::Lock lock(mutex_);
  if (base_digests_ + digests > kBaseDigestsMax) {
    bases_.clear();
    base_digests_ = 0;
  }
  if (bases_.emplace(frame.pack, std::move(bases)).second) base_digests_ += digests;
  return base;
}

void Store::Parts::forget_caches() {
  base_frames.clear();
  const base::Lock lock(mutex_);
  pack_keys_.clear();
  bases_.clear();
  base_digests_ = 0;
}

Result<std::shared_ptr<const Store>> Store::Parts::newer(const Store* than) {
  const base::Lock lock(newer_mutex_);
  if (newer_ == nullptr || newer_.get() == than) {
    CHUNKER_TRY(Store opened, Store::open(directory, options));
    newer_ = std::make_shared<const Store>(std::move(opened));
  }
  return newer_;
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
