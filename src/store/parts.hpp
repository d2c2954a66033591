#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/mutex.hpp"
#include "chunker/store.hpp"
#include "resource/file.hpp"
#include "store/blob.hpp"
#include "store/index.hpp"

namespace chunker {

/// An open store, for the floors above: what Store hides.
/// Threads: shared.
struct Store::Parts {
  std::filesystem::path directory;
  StoreOptions options;  ///< With the layout and hash that the store really has.
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<store::Index> index;
  std::optional<resource::FileLock> writer_lock;
  std::optional<resource::FileLock> reader_lock;

  /// Held by whoever writes: ingest, remove and gc of one store run one after another.
  base::Mutex writing;

  /// The key of a pack; remembered, because every frame that is read asks for it.
  [[nodiscard]] Result<std::string> pack_key(store::PackNumber number);
  /// Where a chunk lies. Errors: store_chunk_missing naming the digest.
  [[nodiscard]] Result<store::ChunkLocation> locate(const Digest& digest) const;

 private:
  static constexpr std::size_t kPackKeysMax = 65536;  ///< About 10 MB.

  base::Mutex mutex_;
  std::unordered_map<store::PackNumber, std::string> pack_keys_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker
