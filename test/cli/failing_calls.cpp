// Preloaded into a program (LD_PRELOAD), this makes calls that change files fail.
// FAILING_CALLS=PART:FIRST:COUNT:ERRNO  Of the calls on files with PART in their path, COUNT from number FIRST
// (from 0) end with ERRNO. A write that fails has written its first half.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Plan {
  std::string part;
  long first = 0;
  long count = 0;
  int error = 0;
};

Plan plan_of_environment() {
  Plan plan;
  const char* const text = std::getenv("FAILING_CALLS");
  if (text == nullptr) return plan;
  std::array<char, 200> part{};
  if (std::sscanf(text, "%199[^:]:%ld:%ld:%d", part.data(), &plan.first, &plan.count,
                  &plan.error) != 4) {
    std::fprintf(stderr, "FAILING_CALLS=%s is not PART:FIRST:COUNT:ERRNO\n", text);
    std::abort();
  }
  plan.part = part.data();
  return plan;
}

/// Whether this call is one that must fail; errno is set then.
bool fails(std::string_view path) {
  static const Plan plan = plan_of_environment();
  static std::atomic<long> seen = 0;
  if (plan.count == 0 || !path.contains(plan.part)) return false;
  const long number = seen++;
  if (number < plan.first || number - plan.first >= plan.count) return false;
  errno = plan.error;
  return true;
}

std::string path_of(int file) {
  const int before = errno;
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  errno = before;
  return {path.data(), length < 0 ? 0 : static_cast<std::size_t>(length)};
}

bool fails(int file) { return fails(path_of(file)); }

bool fails(int directory, const char* name) {
  return fails(directory == AT_FDCWD || *name == '/' ? name : path_of(directory) + "/" + name);
}

/// The function that this one stands before.
template <class Function>
Function* behind(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// NOLINTBEGIN: names, parameters and reserved words are libc's.
#define BEHIND(name) static auto* const real = behind(&::name, #name)

extern "C" {

int openat(int directory, const char* path, int flags, ...) {
  BEHIND(openat);
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_ACCMODE) != O_RDONLY && fails(directory, path)) return -1;
  return real(directory, path, flags, mode);
}

int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return ::openat(AT_FDCWD, path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t size) {
  BEHIND(write);
  if (!fails(file)) return real(file, bytes, size);
  const int error = errno;
  (void)!real(file, bytes, size / 2);
  errno = error;
  return -1;
}

ssize_t writev(int file, const iovec* parts, int count) {
  BEHIND(writev);
  return fails(file) ? -1 : real(file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  BEHIND(pwrite);
  return fails(file) ? -1 : real(file, bytes, size, offset);
}

int ftruncate(int file, off_t size) noexcept {
  BEHIND(ftruncate);
  return fails(file) ? -1 : real(file, size);
}

int fsync(int file) {
  BEHIND(fsync);
  return fails(file) ? -1 : real(file);
}

int fdatasync(int file) {
  BEHIND(fdatasync);
  return fails(file) ? -1 : real(file);
}

int rename(const char* from, const char* to) noexcept {
  BEHIND(rename);
  return fails(AT_FDCWD, to) ? -1 : real(from, to);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  BEHIND(renameat2);
  return fails(to_directory, to) ? -1 : real(from_directory, from, to_directory, to, flags);
}

int unlink(const char* path) noexcept {
  BEHIND(unlink);
  return fails(AT_FDCWD, path) ? -1 : real(path);
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  BEHIND(unlinkat);
  return fails(directory, path) ? -1 : real(directory, path, flags);
}

int remove(const char* path) noexcept {
  BEHIND(remove);
  return fails(AT_FDCWD, path) ? -1 : real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  BEHIND(mkdir);
  return fails(AT_FDCWD, path) ? -1 : real(path, mode);
}

int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  BEHIND(mkdirat);
  return fails(directory, path) ? -1 : real(directory, path, mode);
}
}
// NOLINTEND
