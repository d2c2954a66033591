#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "store/blob.hpp"

namespace chunker::store {

/// Blobs in memory: for tests, and for stores that need not outlive their process.
/// Owns:    every byte of every blob.
/// Threads: shared.
/// Errors:  those of BlobStore, but for io_*.
/// Cost:    no system call; reading copies.
class MemoryBlobStore final : public BlobStore {
 public:
  [[nodiscard]] Result<std::unique_ptr<BlobWriter>> create() override;
  [[nodiscard]] Result<void> read(std::string_view key, std::uint64_t offset_bytes,
                                  MutableBytes out) override;
  [[nodiscard]] Result<std::uint64_t> size(std::string_view key) override;
  [[nodiscard]] Result<void> list(std::string_view prefix, const Visit& visit) override;
  [[nodiscard]] Result<void> remove(std::string_view key) override;
  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override;

 private:
  class Writer;
  using Blob = std::shared_ptr<const ByteBuffer>;

  [[nodiscard]] Result<Blob> find(std::string_view key);
  [[nodiscard]] Result<void> publish(ByteBuffer&& bytes, std::string_view key);

  base::Mutex mutex_;
  std::map<std::string, Blob, std::less<>> blobs_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::store
