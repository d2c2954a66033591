#include "store/blob_memory.hpp"

#include <cstring>
#include <optional>
#include <vector>

#include "base/try.hpp"

namespace chunker::store {

using base::fail;

class MemoryBlobStore::Writer final : public BlobWriter {
 public:
  explicit Writer(MemoryBlobStore& store) : store_(store) {}

  Result<void> append(Bytes bytes) override {
    if (ended_) return std::unexpected(*ended_);
    bytes_.append(bytes);
    return {};
  }

  Result<void> commit(std::string_view key) override {
    if (ended_) return std::unexpected(*ended_);
    auto published = store_.publish(std::move(bytes_), key);
    ended_ = published ? Error{ErrorCode::invalid_argument, "this blob is committed already",
                               Error::kNoOffset, std::string(key)}
                       : published.error();
    return published;
  }

 private:
  MemoryBlobStore& store_;
  ByteBuffer bytes_;
  std::optional<Error> ended_;
};

Result<std::unique_ptr<BlobWriter>> MemoryBlobStore::create() {
  return std::make_unique<Writer>(*this);
}

Result<void> MemoryBlobStore::publish(ByteBuffer&& bytes, std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  auto blob = std::make_shared<const ByteBuffer>(std::move(bytes));
  const base::Lock lock(mutex_);
  blobs_.insert_or_assign(std::string(key), std::move(blob));
  return {};
}

Result<MemoryBlobStore::Blob> MemoryBlobStore::find(std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  const base::Lock lock(mutex_);
  const auto found = blobs_.find(key);
  if (found != blobs_.end()) return found->second;
  return fail(ErrorCode::store_not_found, "no such blob", Error::kNoOffset, std::string(key));
}

Result<void> MemoryBlobStore::read(std::string_view key, std::uint64_t offset_bytes,
                                   MutableBytes out) {
  CHUNKER_TRY(const Blob blob, find(key));
  if (offset_bytes > blob->size() || out.size() > blob->size() - offset_bytes) {
    return fail(ErrorCode::store_corrupt, "this blob ends too early", blob->size(),
                std::string(key));
  }
  if (!out.empty()) std::memcpy(out.data(), blob->data() + offset_bytes, out.size());
  return {};
}

Result<std::uint64_t> MemoryBlobStore::size(std::string_view key) {
  CHUNKER_TRY(const Blob blob, find(key));
  return blob->size();
}

Result<void> MemoryBlobStore::list(std::string_view prefix, const Visit& visit) {
  std::vector<Listed> found;  // Visited without the lock, so that `visit` may use the store.
  {
    const base::Lock lock(mutex_);
    for (auto blob = blobs_.lower_bound(prefix);
         blob != blobs_.end() && blob->first.starts_with(prefix); ++blob) {
      found.push_back({blob->first, blob->second->size()});
    }
  }
  for (const Listed& blob : found) CHUNKER_TRY_VOID(visit(blob));
  return {};
}

Result<void> MemoryBlobStore::remove(std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  const base::Lock lock(mutex_);
  if (const auto found = blobs_.find(key); found != blobs_.end()) blobs_.erase(found);
  return {};
}

Result<void> MemoryBlobStore::rename(std::string_view from, std::string_view to) {
  CHUNKER_TRY_VOID(check_key(to));
  CHUNKER_TRY(Blob blob, find(from));
  const base::Lock lock(mutex_);
  if (const auto found = blobs_.find(from); found != blobs_.end()) blobs_.erase(found);
  blobs_.insert_or_assign(std::string(to), std::move(blob));
  return {};
}

}  // namespace chunker::store
