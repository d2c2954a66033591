#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

// The system calls that everybody needs, each with its errors as a Result and the path in the
// error.
namespace chunker::resource {

/// What an errno means to a caller. The one place that maps them.
[[nodiscard]] ErrorCode code_of(int error_number) noexcept;

/// The error of a failed system call: `what` was tried (static text), and the system's own words follow:
/// "cannot open: Permission denied". The context is the path.
[[nodiscard]] Error system_error(int error_number, std::string_view what,
                                 const std::filesystem::path& path);

/// An open file.
/// Owns:    its descriptor, closed with it, and its path, for messages.
/// Threads: movable; read_at() and size() may be called from any thread at once.
/// Errors:  io_*, with the path as context.
/// Cost:    one system call per method, repeated where the system interrupts or shortens it. What may pass is tried
///          again for a quarter of a second (Backoff): opening while too many files are open (R11.2), and reads that
///          fail for the moment (R11.3). Once that was in vain, later reads of this file that fail do so at once: of a
///          dying disk there are many.
class File {
 public:
  File() noexcept = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  /// Takes over a descriptor (standard input, say); `name` stands for its path.
  [[nodiscard]] static File adopt(int descriptor, std::filesystem::path name) noexcept;
  /// A directory is refused with io_not_found: there is no file of this name. A FIFO is waited for until
  /// somebody has written to it; when `stop` is requested before, the error is `cancelled`.
  [[nodiscard]] static Result<File> open_read(const std::filesystem::path& path,
                                              const std::stop_token& stop = {});
  /// Opens what is there for writing, without truncating: a pipe or device.
  [[nodiscard]] static Result<File> open_write(const std::filesystem::path& path);
  /// Creates a file for writing that must not exist yet.
  [[nodiscard]] static Result<File> create_new(const std::filesystem::path& path);

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Fills `out` from `offset_bytes` on. The count is smaller than `out` only where the file ends.
  [[nodiscard]] Result<std::size_t> read_at(std::uint64_t offset_bytes, MutableBytes out) const;
  /// Comes back when read_some() need not wait: for a file at once, for a pipe when its writer has written
  /// or left. Errors: cancelled, at most kStopLatency after `stop` is requested.
  [[nodiscard]] Result<void> wait_readable(const std::stop_token& stop) const;
  static constexpr std::chrono::milliseconds kStopLatency{50};
  /// Reads what is there, at the file's own position: at least one byte, or 0 at the end. Trying again ends with `stop`.
  [[nodiscard]] Result<std::size_t> read_some(MutableBytes out, const std::stop_token& stop = {});
  [[nodiscard]] Result<void> write_all(Bytes bytes);
  /// Makes room for a file of this size, which stays as short as it is: writing is then half as fast again
  /// (bench/RESULTS.md, "Hashing"). Nothing where the file system cannot. Errors: io_no_space, io_failed.
  [[nodiscard]] Result<void> reserve(std::uint64_t size_bytes);
  static constexpr std::uint64_t kReserveBytesMin = 256 << 10;  ///< Less is not worth a call.
  /// Asks the system to begin writing these bytes out, so that a later sync_data() is short. Only a
  /// hint.
  void start_writeback(std::uint64_t offset_bytes, std::uint64_t size_bytes) const noexcept;
  /// The file's bytes are durable when this returns.
  [[nodiscard]] Result<void> sync_data();
  [[nodiscard]] Result<std::uint64_t> size() const;
  /// Closes and reports what the destructor cannot: some file systems first run out of space here.
  [[nodiscard]] Result<void> close();
  /// Gives the descriptor back without closing it.
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  File(int descriptor, std::filesystem::path path) noexcept;
  template <class Read>
  ::ssize_t read_again(const Read& read, const std::stop_token& stop = {}) const;

  int descriptor_ = -1;
  bool never_waits_ = false;  ///< Known to be a regular file.
  mutable std::atomic<bool> waited_enough_{false};
  std::filesystem::path path_;
};

/// Renames within one file system, replacing `to`. Durable only after sync_directory().
[[nodiscard]] Result<void> rename_file(const std::filesystem::path& from,
                                       const std::filesystem::path& to);

/// Removes a file; false if there was none. Durable only after sync_directory().
[[nodiscard]] Result<bool> remove_file(const std::filesystem::path& path);

/// Makes the names in a directory durable.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& directory);

/// Makes one directory; false if it was there. Durable only after sync_directory() of its parent.
[[nodiscard]] Result<bool> make_directory(const std::filesystem::path& directory);

/// A lock between processes on a file made for it (flock). Two locks of one process exclude each
/// other too.
/// Owns:    the open file; the lock ends with it, also when the process is killed.
/// Threads: movable.
/// Errors:  store_locked if another holds it in a way that excludes this; io_*.
/// Cost:    two system calls.
class FileLock {
 public:
  /// Makes the file if it is not there, and locks nothing.
  [[nodiscard]] static Result<void> make(const std::filesystem::path& path);
  /// Both make the file if it is not there and come back at once, locked or not.
  [[nodiscard]] static Result<FileLock> try_exclusive(const std::filesystem::path& path);
  [[nodiscard]] static Result<FileLock> try_shared(const std::filesystem::path& path);

 private:
  explicit FileLock(File file) noexcept : file_(std::move(file)) {}
  static Result<File> open_lock(const std::filesystem::path& path);
  static Result<FileLock> try_lock(const std::filesystem::path& path, int operation);

  File file_;
};

}  // namespace chunker::resource
