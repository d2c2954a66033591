#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"
#include "resource/file.hpp"
#include "store/index_memory.hpp"

namespace chunker::store {

/// RocksDB as the index needs it: ordered keys and values, atomic batches, few bytes and little memory.
/// This header and index*.cpp are all that knows RocksDB.
/// Owns:    the open database, and for writing a lock on its directory. Destroying it flushes.
/// Threads: shared.
/// Errors:  store_not_found (no database there), store_locked, store_corrupt with the cure and RocksDB's
///          message, store_version, io_*. Once a change failed, all later ones fail alike: open it again.
/// Cost:    at most 16 MiB of cached blocks, and 16 MiB of unflushed writes; less within a budget (index_memory.hpp).
class IndexDatabase {
 public:
  /// A reader writes nothing at all, so it works where it may only read.
  [[nodiscard]] static Result<std::unique_ptr<IndexDatabase>> open(
      const std::filesystem::path& directory, bool for_writing,
      std::shared_ptr<MemoryBudget> memory = nullptr);
  ~IndexDatabase();

  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const;
  /// One answer per key.
  [[nodiscard]] Result<std::vector<std::optional<std::string>>> get_all(
      std::span<const std::string> keys) const;
  /// Visits what begins with `prefix` from `start` on, in order of keys; `rest` is the key without the
  /// prefix. Ends when the visitor returns false or an error. Sees the database as it was at the call.
  using Visit = std::function<Result<bool>(std::string_view rest, std::string_view value)>;
  [[nodiscard]] Result<void> scan(std::string_view prefix, const Visit& visit,
                                  std::string_view start = {}) const;

  /// All or nothing, whatever happens to the process.
  [[nodiscard]] Result<void> write(rocksdb::WriteBatch& batch);
  /// What was written so far survives a power cut.
  [[nodiscard]] Result<void> sync();
  /// Puts what is in memory into compact files, so that the next opening replays nothing.
  [[nodiscard]] Result<void> flush();

  /// Held by who reads in order to write.
  [[nodiscard]] base::Mutex& update_mutex() noexcept { return update_mutex_; }

 private:
  IndexDatabase(std::filesystem::path directory, std::unique_ptr<IndexMemory> memory,
                std::optional<resource::FileLock> lock, std::unique_ptr<rocksdb::DB> database);
  [[nodiscard]] Result<void> check_version();
  /// One at a time, and none behind one that failed.
  [[nodiscard]] Result<void> change(const std::function<rocksdb::Status()>& step)
      CHUNKER_EXCLUDES(change_mutex_);

  const std::filesystem::path directory_;
  const std::unique_ptr<IndexMemory> memory_;
  const std::optional<resource::FileLock> lock_;  ///< There if it was opened for writing.
  std::unique_ptr<rocksdb::DB> database_;
  base::Mutex update_mutex_;
  base::Mutex change_mutex_;
  std::optional<Error> failed_ CHUNKER_GUARDED_BY(change_mutex_);
};

}  // namespace chunker::store
