#include "resource/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/try.hpp"

namespace chunker::resource {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};

Error replaced(const std::filesystem::path& shown) {
  return Error{ErrorCode::io_changed, "was replaced or removed while it was read", Error::kNoOffset,
               shown.string()};
}

}  // namespace

Error walk_error(int error_number, std::string_view what, const std::filesystem::path& shown) {
  if (error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP) {
    return replaced(shown);
  }
  return system_error(error_number, what, shown);
}

Result<File> open_seen(int at, const std::string& name, const struct ::stat& seen,
                       const std::filesystem::path& shown) {
  // Without O_NONBLOCK a pipe that takes the file's place in this moment would block for ever.
  const int flags =
      S_ISDIR(seen.st_mode) ? kDirectoryFlags : O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const int descriptor = ::openat(at, name.c_str(), flags);
  if (descriptor < 0) return std::unexpected(walk_error(errno, "cannot open for reading", shown));
  File file = File::adopt(descriptor, shown);
  struct ::stat opened{};
  if (::fstat(descriptor, &opened) < 0) {
    return std::unexpected(system_error(errno, "cannot ask for the type", shown));
  }
  if (opened.st_dev != seen.st_dev || opened.st_ino != seen.st_ino ||
      (opened.st_mode & S_IFMT) != (seen.st_mode & S_IFMT)) {
    return std::unexpected(replaced(shown));
  }
  return file;
}

Result<File> open_directory(int at, const std::string& name, const std::filesystem::path& shown) {
  const int descriptor = ::openat(at, name.c_str(), kDirectoryFlags);
  if (descriptor < 0) {
    return std::unexpected(system_error(errno, "cannot open this directory", shown));
  }
  return File::adopt(descriptor, shown);
}

Result<std::vector<std::string>> names_in(const File& directory) {
  const auto failed = [&] {
    return std::unexpected(system_error(errno, "cannot list this directory", directory.path()));
  };
  const int own = ::fcntl(directory.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return failed();
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(own));
  if (!stream) {
    ::close(own);
    return failed();
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return failed();
  std::ranges::sort(names);
  return names;
}

// Directories below are moved up before they are looked into, so that depth costs neither stack nor
// descriptors: a tree that could not be finished for lack of descriptors can still be removed.
void remove_all_in(const File& directory) {
  const int at = directory.descriptor();
  auto left = names_in(directory).value_or(std::vector<std::string>{});
  for (std::uint64_t moved = 0; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    if (::unlinkat(at, name.c_str(), 0) == 0) continue;
    if (const auto child = open_directory(at, name, directory.path() / name)) {
      for (const std::string& below : names_in(*child).value_or(std::vector<std::string>{})) {
        if (::unlinkat(child->descriptor(), below.c_str(), 0) == 0) continue;
        std::string up = "removed-" + std::to_string(moved++);
        if (::renameat(child->descriptor(), below.c_str(), at, up.c_str()) == 0) {
          left.push_back(std::move(up));
        }
      }
    }
    ::unlinkat(at, name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace chunker::resource
