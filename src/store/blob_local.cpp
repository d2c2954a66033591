#include "store/blob_local.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <vector>

#include "base/try.hpp"
#include "resource/descriptors.hpp"

namespace chunker::store {
namespace {

namespace fs = std::filesystem;
using base::fail;
using resource::File;

constexpr std::string_view kTemporary = "tmp";
// What is not yet on its way to the device when commit() comes must be waited for.
constexpr std::uint64_t kWritebackBytes = 8 << 20;
constexpr std::size_t kGatheredBytesMax = 64 << 10;

// An absent file, or a directory where a blob should be, is an absent blob.
Error as_blob_error(Error error) {
  if (error.code == ErrorCode::io_not_found || error.code == ErrorCode::invalid_argument) {
    return Error{ErrorCode::store_not_found, "no such blob", Error::kNoOffset,
                 std::move(error.context)};
  }
  return error;
}

}  // namespace

class LocalBlobStore::Writer final : public BlobWriter {
 public:
  Writer(LocalBlobStore& store, File file) : store_(store), file_(std::move(file)) {
    gathered_.reserve(kGatheredBytesMax);
  }
  ~Writer() override {
    // Gone already if it was committed; if it cannot be removed, the next writer empties tmp/.
    (void)resource::remove_file(file_.path());
  }

  Result<void> append(Bytes bytes) override {
    if (ended_) return std::unexpected(*ended_);
    return ending_if_failed(gather(bytes));
  }

  Result<void> commit(std::string_view key) override {
    if (ended_) return std::unexpected(*ended_);
    CHUNKER_TRY_VOID(ending_if_failed(write_gathered()));
    CHUNKER_TRY_VOID(ending_if_failed(store_.publish(file_, key)));
    ended_ = Error{ErrorCode::invalid_argument, "this blob is committed already", Error::kNoOffset,
                   std::string(key)};
    return {};
  }

 private:
  /// Small NARs bring a frame and a manifest of a few hundred bytes each: one system call for many of them.
  Result<void> gather(Bytes bytes) {
    if (gathered_.size() + bytes.size() > kGatheredBytesMax) CHUNKER_TRY_VOID(write_gathered());
    if (bytes.size() > kGatheredBytesMax) return write(bytes);
    gathered_.append(bytes);
    return {};
  }

  Result<void> write_gathered() {
    CHUNKER_TRY_VOID(write(gathered_));
    gathered_.clear();
    return {};
  }

  Result<void> write(Bytes bytes) {
    CHUNKER_TRY_VOID(file_.write_all(bytes));
    written_bytes_ += bytes.size();
    if (written_bytes_ - started_bytes_ >= kWritebackBytes) {
      file_.start_writeback(started_bytes_, written_bytes_ - started_bytes_);
      started_bytes_ = written_bytes_;
    }
    return {};
  }

  Result<void> ending_if_failed(Result<void> result) {
    if (!result) ended_ = result.error();
    return result;
  }

  LocalBlobStore& store_;
  File file_;
  ByteBuffer gathered_;  ///< Behind what is written; never grows beyond what was reserved.
  std::uint64_t written_bytes_ = 0;
  std::uint64_t started_bytes_ = 0;  ///< Up to here they are on their way to the device.
  std::optional<Error> ended_;
};

LocalBlobStore::LocalBlobStore(fs::path root)
    : root_(std::move(root)),
      // Where descriptors are few, others need them more.
      open_files_(std::min(kOpenFilesMax, resource::descriptors_left() / 4)) {}

Result<std::unique_ptr<BlobWriter>> LocalBlobStore::create() {
  const fs::path directory = root_ / kTemporary;
  CHUNKER_TRY_VOID(resource::make_directory(directory));
  const base::Lock lock(mutex_);
  for (;;) {
    const fs::path path =
        directory / (std::to_string(::getpid()) + "-" + std::to_string(++temporary_count_));
    auto file = File::create_new(path);
    if (file) return std::make_unique<Writer>(*this, *std::move(file));
    // A killed process of the same number may have left this name behind: the next one will do.
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return std::unexpected(std::move(file).error());
  }
}

Result<void> LocalBlobStore::publish(File& file, std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  CHUNKER_TRY_VOID(file.sync_data());
  CHUNKER_TRY_VOID(file.close());
  CHUNKER_TRY_VOID(ensure_directories(key));
  const fs::path path = root_ / key;
  CHUNKER_TRY_VOID(resource::rename_file(file.path(), path));
  open_files_.forget(key);
  return resource::sync_directory(path.parent_path());
}

Result<void> LocalBlobStore::ensure_directories(std::string_view key) {
  const base::Lock lock(mutex_);
  for (std::size_t slash = key.find('/'); slash != key.npos; slash = key.find('/', slash + 1)) {
    std::string directory(key.substr(0, slash));
    if (durable_directories_.contains(directory)) continue;
    const fs::path path = root_ / directory;
    CHUNKER_TRY_VOID(resource::make_directory(path));
    CHUNKER_TRY_VOID(resource::sync_directory(path.parent_path()));
    durable_directories_.insert(std::move(directory));
  }
  return {};
}

Result<void> LocalBlobStore::read(std::string_view key, std::uint64_t offset_bytes,
                                  MutableBytes out) {
  CHUNKER_TRY_VOID(check_key(key));
  auto file = open_files_.open(key, root_ / key);
  if (!file) return std::unexpected(as_blob_error(std::move(file).error()));
  CHUNKER_TRY(const std::size_t count, (*file)->read_at(offset_bytes, out));
  if (count == out.size()) return {};
  return fail(ErrorCode::store_corrupt, "this blob ends too early", offset_bytes + count,
              (*file)->path().string());
}

Result<std::uint64_t> LocalBlobStore::size(std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  std::error_code failed;
  const fs::path path = root_ / key;
  const std::uintmax_t size_bytes = fs::file_size(path, failed);
  if (!failed) return size_bytes;
  return std::unexpected(
      as_blob_error(resource::system_error(failed.value(), "cannot ask for the size", path)));
}

Result<void> LocalBlobStore::list(std::string_view prefix, const Visit& visit) {
  return list_directory("", prefix, visit);
}

// `directory` is "" or ends in '/'. One directory is in memory at a time per level, and none is open while
// visiting.
Result<void> LocalBlobStore::list_directory(const std::string& directory, std::string_view prefix,
                                            const Visit& visit) {
  std::vector<Listed>
      entries;  // Keys of directories end in '/', so all sort as the keys in them do.
  std::error_code failed;
  for (fs::directory_iterator entry(root_ / directory, failed); !failed && entry != fs::end(entry);
       entry.increment(failed)) {
    std::string key = directory + entry->path().filename().string();
    if (!is_key(key)) continue;
    std::error_code vanished;
    const fs::file_type type = entry->symlink_status(vanished).type();
    if (type == fs::file_type::directory) {
      key.push_back('/');
      if (key.starts_with(prefix) || prefix.starts_with(key))
        entries.push_back({std::move(key), 0});
    } else if (type == fs::file_type::regular && key.starts_with(prefix)) {
      const std::uintmax_t size_bytes = entry->file_size(vanished);
      if (!vanished) entries.push_back({std::move(key), size_bytes});
    }
  }
  if (failed) {
    if (failed == std::errc::no_such_file_or_directory && !directory.empty()) return {};
    return std::unexpected(
        resource::system_error(failed.value(), "cannot list this directory", root_ / directory));
  }
  std::ranges::sort(entries, {}, &Listed::key);
  for (const Listed& entry : entries) {
    CHUNKER_TRY_VOID(entry.key.ends_with('/') ? list_directory(entry.key, prefix, visit)
                                              : visit(entry));
  }
  return {};
}

Result<void> LocalBlobStore::remove(std::string_view key) {
  CHUNKER_TRY_VOID(check_key(key));
  const fs::path path = root_ / key;
  CHUNKER_TRY(const bool removed, resource::remove_file(path));
  open_files_.forget(key);
  return removed ? resource::sync_directory(path.parent_path()) : Result<void>{};
}

Result<void> LocalBlobStore::rename(std::string_view from, std::string_view to) {
  CHUNKER_TRY_VOID(check_key(from));
  CHUNKER_TRY_VOID(check_key(to));
  CHUNKER_TRY_VOID(size(from));
  CHUNKER_TRY_VOID(ensure_directories(to));
  const fs::path old_path = root_ / from;
  const fs::path new_path = root_ / to;
  CHUNKER_TRY_VOID(resource::rename_file(old_path, new_path));
  open_files_.forget(from);
  open_files_.forget(to);
  CHUNKER_TRY_VOID(resource::sync_directory(new_path.parent_path()));
  return resource::sync_directory(old_path.parent_path());
}

Result<void> LocalBlobStore::empty_temporary() {
  const fs::path directory = root_ / kTemporary;
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::end(entry);
       entry.increment(failed)) {
    fs::remove_all(entry->path(), failed);
    if (failed) break;
  }
  if (!failed || failed == std::errc::no_such_file_or_directory) return {};
  return std::unexpected(resource::system_error(failed.value(), "cannot empty", directory));
}

}  // namespace chunker::store
