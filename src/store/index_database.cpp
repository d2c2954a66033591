#include "store/index_database.hpp"

#include <rocksdb/options.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "store/index_format.hpp"
#include "store/index_options.hpp"

namespace chunker::store {
namespace {

namespace fs = std::filesystem;
using base::fail;
using std::chrono::milliseconds;

constexpr std::string_view kLockFile = "WRITER";
constexpr std::string_view kDamaged = "the index is damaged; run chunker rebuild-index";
constexpr int kOpenAttempts = 20;
constexpr milliseconds kOpenPause{5};

// RocksDB tells most errors of the system only in the words of strerror.
std::optional<ErrorCode> system_code(const std::string& message) {
  for (const int error : {EACCES, EPERM, EROFS, EDQUOT, EFBIG, EMFILE, ENFILE, EIO}) {
    if (message.ends_with(std::generic_category().message(error))) return resource::code_of(error);
  }
  return std::nullopt;
}

Error error_of(const rocksdb::Status& status, const fs::path& directory) {
  const std::string message = status.ToString();
  const auto error = [&](ErrorCode code, std::string_view what) {
    return Error{code, what, Error::kNoOffset, directory.string() + " (" + message + ")"};
  };
  if (status.IsNoSpace()) return error(ErrorCode::io_no_space, "no space is left for the index");
  if (const auto code = system_code(message)) {
    return error(*code, "the files of the index cannot be used");
  }
  // A file that one of the others names is not there.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return error(ErrorCode::store_corrupt, kDamaged);
  }
  if (status.IsMemoryLimit()) {
    return error(ErrorCode::memory_limit_exceeded, "the index needs more memory");
  }
  if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) {
    return error(ErrorCode::io_unavailable, "the index is busy");
  }
  return error(ErrorCode::io_failed, "the index failed");
}

// Whether there is a database at all. One without CURRENT would be made anew by RocksDB, over the files of
// the old one; we would rather say that it is damaged.
Result<bool> is_there(const fs::path& directory) {
  std::error_code failed;
  bool has_files = false;
  for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::end(entry);
       entry.increment(failed)) {
    if (entry->path().filename() == "CURRENT") return true;
    has_files |= entry->path().filename() != kLockFile;
  }
  if (failed && failed != std::errc::no_such_file_or_directory) {
    return std::unexpected(
        resource::system_error(failed.value(), "cannot list the index", directory));
  }
  if (!has_files) return false;
  return fail(ErrorCode::store_corrupt, kDamaged, Error::kNoOffset,
              (directory / "CURRENT").string() + " is missing");
}

// What changes whenever RocksDB starts or stops using a file: the journal of its files.
std::pair<std::string, std::uintmax_t> journal_state(const fs::path& directory) {
  std::string journal;
  std::getline(std::ifstream(directory / "CURRENT"), journal);
  std::error_code failed;
  return {journal, fs::file_size(directory / journal, failed)};
}

// Opens what a writer may be changing at the same time: files vanish while they are opened, and RocksDB
// would even miss recent writes whose log was replaced by a file behind its back. So it is opened again
// until nothing changed meanwhile.
Result<std::unique_ptr<rocksdb::DB>> open_for_reading(const fs::path& directory,
                                                      const IndexMemory& memory) {
  for (int attempt = 1;; ++attempt) {
    const auto before = journal_state(directory);
    rocksdb::DB* database = nullptr;
    const auto status =
        rocksdb::DB::OpenForReadOnly(index_options(false, memory), directory.string(), &database);
    std::unique_ptr<rocksdb::DB> opened(database);
    if (status.ok() && journal_state(directory) == before) return opened;
    if (attempt == kOpenAttempts) {
      if (!status.ok()) return std::unexpected(error_of(status, directory));
      return fail(ErrorCode::io_unavailable, "the index is changing too fast to be opened",
                  Error::kNoOffset, directory.string());
    }
    std::this_thread::sleep_for(kOpenPause);
  }
}

Result<std::unique_ptr<rocksdb::DB>> open_for_update(const fs::path& directory,
                                                     const IndexMemory& memory) {
  rocksdb::DB* database = nullptr;
  const auto status = rocksdb::DB::Open(index_options(true, memory), directory.string(), &database);
  std::unique_ptr<rocksdb::DB> opened(database);
  if (!status.ok()) return std::unexpected(error_of(status, directory));
  return opened;
}

// RocksDB writes its options down at every opening and never reads them; they are half of an empty index.
void remove_option_files(const fs::path& directory) {
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::end(entry);
       entry.increment(failed)) {
    if (entry->path().filename().string().starts_with("OPTIONS-")) {
      std::error_code ignored;
      fs::remove(entry->path(), ignored);
    }
  }
}

// The first key behind all that begin with `prefix`. Prefixes begin with a letter, so there is one.
std::string end_of(std::string_view prefix) {
  std::string end(prefix.substr(0, prefix.find_last_not_of('\xFF') + 1));
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

}  // namespace

IndexDatabase::IndexDatabase(fs::path directory, std::unique_ptr<IndexMemory> memory,
                             std::optional<resource::FileLock> lock,
                             std::unique_ptr<rocksdb::DB> database)
    : directory_(std::move(directory)),
      memory_(std::move(memory)),
      lock_(std::move(lock)),
      database_(std::move(database)) {}

IndexDatabase::~IndexDatabase() {
  if (!lock_) return;
  (void)flush();  // If it fails, the next opening replays the log instead.
  database_.reset();
  remove_option_files(directory_);
}

Result<std::unique_ptr<IndexDatabase>> IndexDatabase::open(const fs::path& directory,
                                                           bool for_writing,
                                                           std::shared_ptr<MemoryBudget> budget) {
  CHUNKER_TRY(const bool exists, is_there(directory));
  std::optional<resource::FileLock> lock;
  if (for_writing) {
    CHUNKER_TRY_VOID(resource::make_directory(directory));
    CHUNKER_TRY(lock, resource::FileLock::try_exclusive(directory / kLockFile));
  } else if (!exists) {
    return fail(ErrorCode::store_not_found, "there is no index; run chunker rebuild-index",
                Error::kNoOffset, directory.string());
  }
  CHUNKER_TRY(auto memory, IndexMemory::make(std::move(budget), for_writing));
  CHUNKER_TRY(auto database, for_writing ? open_for_update(directory, *memory)
                                         : open_for_reading(directory, *memory));
  std::unique_ptr<IndexDatabase> index(
      new IndexDatabase(directory, std::move(memory), std::move(lock), std::move(database)));
  CHUNKER_TRY_VOID(index->check_version());
  return index;
}

// A new database gets the version as its first entry, so only an empty one may lack it.
Result<void> IndexDatabase::check_version() {
  const std::string key = index_format::setting_key(index_format::kSettingVersion);
  CHUNKER_TRY(const auto value, get(key));
  if (value) {
    CHUNKER_TRY(const std::uint64_t version, index_format::decode_number(*value));
    if (version == index_format::kVersion) return {};
    return fail(ErrorCode::store_version,
                "the index is of another version; run chunker rebuild-index", Error::kNoOffset,
                directory_.string());
  }
  const std::unique_ptr<rocksdb::Iterator> entry(database_->NewIterator({}));
  entry->SeekToFirst();
  if (entry->Valid()) {
    return fail(ErrorCode::store_corrupt, kDamaged, Error::kNoOffset,
                directory_.string() + " (no version)");
  }
  if (!entry->status().ok()) return std::unexpected(error_of(entry->status(), directory_));
  if (!lock_) return {};
  rocksdb::WriteBatch batch;
  batch.Put(key, index_format::encode(index_format::kVersion));
  return write(batch);
}

Result<std::optional<std::string>> IndexDatabase::get(std::string_view key) const {
  std::string value;
  const auto status = database_->Get({}, key, &value);
  if (status.ok()) return value;
  if (status.IsNotFound()) return std::nullopt;
  return std::unexpected(error_of(status, directory_));
}

Result<std::vector<std::optional<std::string>>> IndexDatabase::get_all(
    std::span<const std::string> keys) const {
  constexpr std::size_t kBatch = 32;  // RocksDB's own MultiGetContext::MAX_BATCH_SIZE.
  std::vector<std::optional<std::string>> answers;
  answers.reserve(keys.size());
  if (keys.size() == 1) {  // A small NAR: half as dear.
    CHUNKER_TRY(answers.emplace_back(), get(keys[0]));
    return answers;
  }
  while (!keys.empty()) {
    const auto batch = keys.first(std::min(keys.size(), kBatch));
    std::array<rocksdb::Slice, kBatch> slices;
    std::array<rocksdb::PinnableSlice, kBatch> values;
    std::array<rocksdb::Status, kBatch> statuses;
    std::ranges::copy(batch, slices.begin());
    database_->MultiGet({}, database_->DefaultColumnFamily(), batch.size(), slices.data(),
                        values.data(), statuses.data());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (statuses[i].ok()) {
        answers.emplace_back(values[i].ToString());
      } else if (statuses[i].IsNotFound()) {
        answers.emplace_back();
      } else {
        return std::unexpected(error_of(statuses[i], directory_));
      }
    }
    keys = keys.subspan(batch.size());
  }
  return answers;
}

Result<void> IndexDatabase::scan(std::string_view prefix, const Visit& visit,
                                 std::string_view start) const {
  const std::string end = end_of(prefix);
  const rocksdb::Slice end_slice = end;
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end_slice;
  options.fill_cache = false;  // A scan would push out what look-ups need.
  const std::unique_ptr<rocksdb::Iterator> entry(database_->NewIterator(options));
  for (entry->Seek(std::max(prefix, start)); entry->Valid(); entry->Next()) {
    std::string_view rest = entry->key().ToStringView();
    rest.remove_prefix(prefix.size());
    CHUNKER_TRY(const bool more, visit(rest, entry->value().ToStringView()));
    if (!more) return {};
  }
  if (!entry->status().ok()) return std::unexpected(error_of(entry->status(), directory_));
  return {};
}

Result<void> IndexDatabase::write(rocksdb::WriteBatch& batch) {
  if (!lock_) {
    return fail(ErrorCode::invalid_argument, "this index was opened for reading", Error::kNoOffset,
                directory_.string());
  }
  return change([&] { return database_->Write({}, &batch); });
}

Result<void> IndexDatabase::sync() {
  return change([&] { return database_->SyncWAL(); });
}

Result<void> IndexDatabase::flush() {
  return change([&] { return database_->Flush({}); });
}

// When a full disk has room again, RocksDB resumes by itself: into the same log, where what is behind the
// torn record would be lost. It notices, and in builds with assertions, as Debian's, ends the process.
Result<void> IndexDatabase::change(const std::function<rocksdb::Status()>& step) {
  const base::Lock lock(change_mutex_);
  if (!failed_) {
    const auto status = step();
    if (status.ok()) return {};
    failed_ = error_of(status, directory_);
  }
  return std::unexpected(*failed_);
}

}  // namespace chunker::store
