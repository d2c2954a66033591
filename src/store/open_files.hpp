#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.hpp"
#include "resource/file.hpp"

namespace chunker::store {

/// The files that were read last, kept open, because restoring reads thousands of frames from few packs.
/// Owns:    at most `files_max` descriptors; a file in use outlives its place here.
/// Threads: shared.
/// Errors:  those of File::open_read.
/// Cost:    one lock and one look-up per call; a miss opens the file outside the lock.
class OpenFiles {
 public:
  explicit OpenFiles(std::size_t files_max) noexcept : files_max_(files_max) {}

  [[nodiscard]] Result<std::shared_ptr<const resource::File>> open(
      std::string_view key, const std::filesystem::path& path);
  /// Must be called after the file of this key was replaced or removed.
  void forget(std::string_view key);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const resource::File> file;
  };
  using Entries = std::list<Entry>;

  [[nodiscard]] std::shared_ptr<const resource::File> find(std::string_view key)
      CHUNKER_REQUIRES(mutex_);

  const std::size_t files_max_;
  base::Mutex mutex_;
  Entries entries_ CHUNKER_GUARDED_BY(mutex_);  ///< Lately used first.
  std::unordered_map<std::string_view, Entries::iterator> by_key_ CHUNKER_GUARDED_BY(mutex_);
  std::uint64_t forget_count_ CHUNKER_GUARDED_BY(mutex_) = 0;
};

}  // namespace chunker::store
