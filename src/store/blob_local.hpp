#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/mutex.hpp"
#include "resource/file.hpp"
#include "store/blob.hpp"
#include "store/open_files.hpp"

namespace chunker::store {

/// Blobs as files under one directory, at the path that is their key (doc/format/store.md). Unfinished
/// ones are in its tmp/. Files whose paths are no keys, and symlinks, are left alone.
/// Owns:    up to 64 descriptors of blobs that were read lately, and no more than a quarter of those that are left.
/// Threads: shared.
/// Errors:  those of BlobStore, with the path as context. A full device leaves nothing behind.
/// Cost:    a read is one system call once the blob is open; a commit is two syncs and a rename. Small parts of a
///          blob are gathered, up to 64 KiB, before they are written.
class LocalBlobStore final : public BlobStore {
 public:
  static constexpr std::size_t kOpenFilesMax = 64;

  /// `root` must exist; nothing is written before the first create().
  explicit LocalBlobStore(std::filesystem::path root);

  [[nodiscard]] Result<std::unique_ptr<BlobWriter>> create() override;
  [[nodiscard]] Result<void> read(std::string_view key, std::uint64_t offset_bytes,
                                  MutableBytes out) override;
  [[nodiscard]] Result<std::uint64_t> size(std::string_view key) override;
  [[nodiscard]] Result<void> list(std::string_view prefix, const Visit& visit) override;
  [[nodiscard]] Result<void> remove(std::string_view key) override;
  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override;

  /// Removes what a writer that was killed left in tmp/. Only for the one who holds the writer's lock.
  [[nodiscard]] Result<void> empty_temporary();

 private:
  class Writer;

  [[nodiscard]] Result<void> publish(resource::File& file, std::string_view key);
  [[nodiscard]] Result<void> ensure_directories(std::string_view key);
  [[nodiscard]] Result<void> list_directory(const std::string& directory, std::string_view prefix,
                                            const Visit& visit);

  const std::filesystem::path root_;
  OpenFiles open_files_;
  base::Mutex mutex_;
  /// Directories whose names are durable for sure. That one exists does not say so: who made it may have
  /// been killed before syncing it.
  std::unordered_set<std::string> durable_directories_ CHUNKER_GUARDED_BY(mutex_);
  std::uint64_t temporary_count_ CHUNKER_GUARDED_BY(mutex_) = 0;
};

}  // namespace chunker::store
