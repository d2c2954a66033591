#include "resource/file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "resource/backoff.hpp"

namespace chunker::resource {
namespace {

// No system moves more than this in one call; macOS even refuses to try.
constexpr std::size_t kCallBytesMax = 1 << 30;

// What differs between systems, and nothing else.
#if defined(__linux__)
int sync_descriptor(int descriptor) noexcept { return ::fdatasync(descriptor); }
void begin_writeback(int descriptor, off_t offset, off_t size) noexcept {
  ::sync_file_range(descriptor, offset, size, SYNC_FILE_RANGE_WRITE);
}
int make_room(int descriptor, off_t size) noexcept {
  return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, size);
}
#elif defined(__APPLE__)
// fsync leaves the bytes in the drive's own cache there.
int sync_descriptor(int descriptor) noexcept {
  return ::fcntl(descriptor, F_FULLFSYNC) == 0 ? 0 : ::fsync(descriptor);
}
void begin_writeback(int, off_t, off_t) noexcept {}
int make_room(int, off_t) noexcept { return 0; }
#else
int sync_descriptor(int descriptor) noexcept { return ::fsync(descriptor); }
void begin_writeback(int, off_t, off_t) noexcept {}
int make_room(int, off_t) noexcept { return 0; }
#endif

// strerror_r is the thread-safe one, and comes in two kinds: GNU's returns the text, POSIX's fills
// the buffer.
[[maybe_unused]] const char* message_of(const char* message, const char*) noexcept {
  return message;
}
[[maybe_unused]] const char* message_of(int failed, const char* buffer) noexcept {
  return failed == 0 ? buffer : "unknown error";
}

// Repeats a system call that a signal interrupted.
template <class Call>
auto retried(Call call) noexcept {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// A disk that resets or a server that is away fails a read and answers the next.
bool may_pass(int error_number) noexcept {
  switch (error_number) {
    case EAGAIN:
    case EBUSY:
    case EIO:
    case ENOMEM:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

// Others close files meanwhile.
bool too_many_are_open(int error_number) noexcept {
  return error_number == EMFILE || error_number == ENFILE;
}

/// Repeats a system call after longer and longer waits, as long as its error `passes`.
template <class Call>
auto tried_again(Call call, bool (*passes)(int), const std::stop_token& stop = {}) {
  auto result = retried(call);
  for (Backoff backoff; result < 0 && passes(errno) && backoff.wait(stop);) result = retried(call);
  return result;
}

// An error's text lasts as long as the program. There are few of them: what we try, times errno.
std::string_view lasting(std::string text) {
  static base::Mutex mutex;
  static auto& texts = *new std::set<std::string>;  // outlives whoever ends last
  const base::Lock lock(mutex);
  return *texts.insert(std::move(text)).first;
}

std::unexpected<Error> failed(std::string_view what, const std::filesystem::path& path) {
  return std::unexpected(system_error(errno, what, path));
}

}  // namespace

ErrorCode code_of(int error_number) noexcept {
  switch (error_number) {
    case EISDIR:
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::io_not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::io_permission;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::io_no_space;
    case EMFILE:
    case ENFILE:
      return ErrorCode::io_too_many_files;
    case EAGAIN:
    case EBUSY:
    case ESTALE:
    case ETIMEDOUT:
    case ENOMEM:
      return ErrorCode::io_unavailable;
    default:
      return ErrorCode::io_failed;
  }
}

Error system_error(int error_number, std::string_view what, const std::filesystem::path& path) {
  std::array<char, 256> buffer{};
  std::string text(what);
  text.append(": ").append(
      message_of(::strerror_r(error_number, buffer.data(), buffer.size()), buffer.data()));
  return Error{code_of(error_number), lasting(std::move(text)), Error::kNoOffset, path.string()};
}

File::File(int descriptor, std::filesystem::path path) noexcept
    : descriptor_(descriptor), path_(std::move(path)) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      never_waits_(other.never_waits_),
      waited_enough_(other.waited_enough_.load()),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(never_waits_, other.never_waits_);
  other.waited_enough_ = waited_enough_.exchange(other.waited_enough_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (is_open()) ::close(descriptor_);
}

File File::adopt(int descriptor, std::filesystem::path name) noexcept {
  return File(descriptor, std::move(name));
}

Result<File> File::open_read(const std::filesystem::path& path, const std::stop_token& stop) {
  // Without O_NONBLOCK a FIFO nobody writes to would hold us in here, deaf to `stop`.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  const int descriptor =
      tried_again([&] { return ::open(path.c_str(), flags); }, too_many_are_open, stop);
  if (descriptor < 0) return failed("cannot open", path);
  File file(descriptor, path);
  struct stat status{};
  if (::fstat(descriptor, &status) < 0) return failed("cannot ask for the type", path);
  // The system opens directories too, and says only at the first read that it was a mistake.
  if (S_ISDIR(status.st_mode)) return std::unexpected(system_error(EISDIR, "cannot open", path));
  file.never_waits_ = S_ISREG(status.st_mode);
  if (file.never_waits_) return file;
  if (S_ISFIFO(status.st_mode)) CHUNKER_TRY_VOID(file.wait_readable(stop));
  if (::fcntl(descriptor, F_SETFL, O_RDONLY) < 0) return failed("cannot open", path);
  return file;
}

Result<File> File::open_write(const std::filesystem::path& path) {
  const int descriptor = retried([&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
  if (descriptor < 0) return failed("cannot open", path);
  return File(descriptor, path);
}

Result<File> File::create_new(const std::filesystem::path& path) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  const int descriptor =
      tried_again([&] { return ::open(path.c_str(), flags, 0666); }, too_many_are_open);
  if (descriptor < 0) return failed("cannot create", path);
  return File(descriptor, path);
}

template <class Read>
::ssize_t File::read_again(const Read& read, const std::stop_token& stop) const {
  if (waited_enough_) return retried(read);
  const ::ssize_t got = tried_again(read, may_pass, stop);
  waited_enough_ = got < 0;
  return got;
}

Result<std::size_t> File::read_at(std::uint64_t offset_bytes, MutableBytes out) const {
  if (offset_bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - out.size()) {
    return 0;  // No file reaches that far.
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t wanted = std::min(out.size() - done, kCallBytesMax);
    const auto read = [&] {
      return ::pread(descriptor_, out.data() + done, wanted,
                     static_cast<off_t>(offset_bytes + done));
    };
    const ssize_t got = read_again(read);
    if (got < 0) return failed("cannot read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> File::wait_readable(const std::stop_token& stop) const {
  const int slice_ms = stop.stop_possible() ? static_cast<int>(kStopLatency.count()) : -1;
  pollfd readable{descriptor_, POLLIN, 0};
  for (;;) {
    if (stop.stop_requested()) {
      return base::fail(ErrorCode::cancelled, "stopped on request", Error::kNoOffset,
                        path_.string());
    }
    if (never_waits_) return {};
    const int ready = ::poll(&readable, 1, slice_ms);
    if (ready > 0) return {};  // also with an error or the end: reading will tell
    if (ready < 0 && errno != EINTR) return failed("cannot wait for", path_);
  }
}

Result<std::size_t> File::read_some(MutableBytes out, const std::stop_token& stop) {
  const std::size_t wanted = std::min(out.size(), kCallBytesMax);
  const ssize_t got = read_again([&] { return ::read(descriptor_, out.data(), wanted); }, stop);
  if (got < 0) return failed("cannot read", path_);
  return static_cast<std::size_t>(got);
}

Result<void> File::write_all(Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t wanted = std::min(bytes.size(), kCallBytesMax);
    const ssize_t put = retried([&] { return ::write(descriptor_, bytes.data(), wanted); });
    if (put < 0) return failed("cannot write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> File::reserve(std::uint64_t size_bytes) {
  if (size_bytes < kReserveBytesMin || !std::in_range<off_t>(size_bytes)) return {};
  const auto size = static_cast<off_t>(size_bytes);
  if (retried([&] { return make_room(descriptor_, size); }) == 0) return {};
  const bool too_large = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return too_large ? failed("cannot make room", path_) : Result<void>();
}

void File::start_writeback(std::uint64_t offset_bytes, std::uint64_t size_bytes) const noexcept {
  begin_writeback(descriptor_, static_cast<off_t>(offset_bytes), static_cast<off_t>(size_bytes));
}

Result<void> File::sync_data() {
  if (retried([&] { return sync_descriptor(descriptor_); }) < 0)
    return failed("cannot sync", path_);
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) < 0) return failed("cannot ask for the size", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::close() {
  // Not repeated after EINTR: the descriptor is gone then, and its number may already be another's.
  if (is_open() && ::close(std::exchange(descriptor_, -1)) < 0 && errno != EINTR) {
    return failed("cannot close", path_);
  }
  return {};
}

Result<void> rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return failed("cannot rename to this", to);
  return {};
}

Result<bool> remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR || errno == EISDIR) return false;
  return failed("cannot remove", path);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const int descriptor = retried([&] { return ::open(directory.c_str(), flags); });
  if (descriptor < 0) return failed("cannot open this directory", directory);
  const File file = File::adopt(descriptor, directory);
  // Some file systems cannot sync a directory and say EINVAL; they have nothing to sync.
  if (retried([&] { return ::fsync(descriptor); }) < 0 && errno != EINVAL) {
    return failed("cannot sync this directory", directory);
  }
  return {};
}

Result<bool> make_directory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0777) == 0) return true;
  if (errno == EEXIST && std::filesystem::is_directory(directory)) return false;
  return failed("cannot make this directory", directory);
}

Result<void> FileLock::make(const std::filesystem::path& path) {
  CHUNKER_TRY_VOID(open_lock(path));
  return {};
}

Result<FileLock> FileLock::try_exclusive(const std::filesystem::path& path) {
  return try_lock(path, LOCK_EX);
}

Result<FileLock> FileLock::try_shared(const std::filesystem::path& path) {
  return try_lock(path, LOCK_SH);
}

Result<File> FileLock::open_lock(const std::filesystem::path& path) {
  // Reading is enough for flock, so readers can lock in a store that they must not write to.
  const int flags = O_RDONLY | O_CREAT | O_CLOEXEC;
  const int descriptor = retried([&] { return ::open(path.c_str(), flags, 0666); });
  if (descriptor < 0) return failed("cannot open this lock file", path);
  return File::adopt(descriptor, path);
}

Result<FileLock> FileLock::try_lock(const std::filesystem::path& path, int operation) {
  CHUNKER_TRY(File file, open_lock(path));
  if (retried([&] { return ::flock(file.descriptor(), operation | LOCK_NB); }) == 0) {
    return FileLock(std::move(file));
  }
  if (errno != EWOULDBLOCK) return failed("cannot lock", path);
  return base::fail(ErrorCode::store_locked, "another process holds this lock", Error::kNoOffset,
                    path.string());
}

}  // namespace chunker::resource
