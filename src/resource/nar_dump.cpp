#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/try.hpp"
#include "chunker/nar.hpp"
#include "chunker/nar_tree.hpp"
#include "resource/descent.hpp"
#include "resource/directory.hpp"

namespace chunker {
namespace {

using resource::File;

/// Large enough that reading costs little beside copying, small enough for the second-level cache.
constexpr std::size_t kReadBytes = 256 << 10;

bool same_moment(const struct ::timespec& a, const struct ::timespec& b) noexcept {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

#if defined(__APPLE__)
const struct ::timespec& modified(const struct ::stat& status) noexcept {
  return status.st_mtimespec;
}
#else
const struct ::timespec& modified(const struct ::stat& status) noexcept { return status.st_mtim; }
#endif

/// One walk over a tree. Directories on the way down are a list, not recursion: a tree may be as
/// deep as paths are long.
class Dump {
 public:
  explicit Dump(const ByteSink& sink) : nar_(sink), buffer_(kReadBytes) {}

  Result<void> run(const std::filesystem::path& root);

 private:
  struct Level {
    std::vector<std::string> names;
    std::size_t next = 0;
  };

  // `at` and `name` are where the entry lies, `nar_name` its name in the archive.
  Result<void> dump(int at, const std::string& name, std::string_view nar_name,
                    const struct ::stat& seen, const std::filesystem::path& shown);
  Result<void> dump_next();
  Result<void> dump_file(File file, std::string_view nar_name, const struct ::stat& seen);
  Result<void> dump_symlink(int at, const std::string& name, std::string_view nar_name,
                            const std::filesystem::path& shown);

  NarWriter nar_;
  ByteBuffer buffer_;
  resource::Descent directories_;
  std::vector<Level> levels_;  // What is to be done in each.
};

Result<void> Dump::run(const std::filesystem::path& root) {
  struct ::stat seen{};
  if (::fstatat(AT_FDCWD, root.c_str(), &seen, AT_SYMLINK_NOFOLLOW) < 0) {
    return std::unexpected(resource::system_error(errno, "cannot read", root));
  }
  CHUNKER_TRY_VOID(dump(AT_FDCWD, root.native(), {}, seen, root));
  while (!levels_.empty()) CHUNKER_TRY_VOID(dump_next());
  return nar_.finish();
}

Result<void> Dump::dump_next() {
  Level& level = levels_.back();
  if (level.next == level.names.size()) {
    levels_.pop_back();
    CHUNKER_TRY_VOID(directories_.leave());
    return nar_.end_directory();
  }
  const std::string& name = level.names[level.next++];
  const std::filesystem::path shown = directories_.current().path() / name;
  const int at = directories_.current().descriptor();
  struct ::stat seen{};
  if (::fstatat(at, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) < 0) {
    return std::unexpected(resource::walk_error(errno, "cannot read", shown));
  }
  return dump(at, name, name, seen, shown);
}

Result<void> Dump::dump(int at, const std::string& name, std::string_view nar_name,
                        const struct ::stat& seen, const std::filesystem::path& shown) {
  if (S_ISLNK(seen.st_mode)) return dump_symlink(at, name, nar_name, shown);
  if (!S_ISREG(seen.st_mode) && !S_ISDIR(seen.st_mode)) {
    return base::fail(ErrorCode::nar_unsupported_file,
                      "is neither a file, nor a directory, nor a symlink", Error::kNoOffset,
                      shown.string());
  }
  CHUNKER_TRY(File file, resource::open_seen(at, name, seen, shown));
  if (S_ISREG(seen.st_mode)) return dump_file(std::move(file), nar_name, seen);
  CHUNKER_TRY_VOID(nar_.begin_directory(nar_name));
  CHUNKER_TRY_VOID(directories_.enter(std::move(file)));
  CHUNKER_TRY(auto names, resource::names_in(directories_.current()));
  levels_.push_back({std::move(names)});
  return {};
}

// The size is written before the contents, so the file must be the same from when it was seen on.
Result<void> Dump::dump_file(File file, std::string_view nar_name, const struct ::stat& seen) {
  const auto changed = [&] {
    return base::fail(ErrorCode::io_changed, "changed while it was read", Error::kNoOffset,
                      file.path().string());
  };
  const bool executable = (seen.st_mode & S_IXUSR) != 0;
  auto left = static_cast<std::uint64_t>(seen.st_size);
  CHUNKER_TRY_VOID(nar_.begin_file(nar_name, {.executable = executable, .size_bytes = left}));
  while (left > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
    CHUNKER_TRY(const std::size_t got, file.read_some(buffer_.span().first(wanted)));
    if (got == 0) return changed();
    CHUNKER_TRY_VOID(nar_.contents(buffer_.view().first(got)));
    left -= got;
  }
  struct ::stat now{};
  if (::fstat(file.descriptor(), &now) < 0) {
    return std::unexpected(resource::system_error(errno, "cannot ask for the size", file.path()));
  }
  if (now.st_size != seen.st_size || !same_moment(modified(now), modified(seen))) return changed();
  return {};
}

Result<void> Dump::dump_symlink(int at, const std::string& name, std::string_view nar_name,
                                const std::filesystem::path& shown) {
  std::array<char, kNarTargetBytesMax + 1> target;
  const ssize_t size = ::readlinkat(at, name.c_str(), target.data(), target.size());
  if (size < 0) return std::unexpected(resource::walk_error(errno, "cannot read symlink", shown));
  return nar_.add_symlink(nar_name, {target.data(), static_cast<std::size_t>(size)});
}

}  // namespace

Result<void> dump_tree(const std::filesystem::path& path, const ByteSink& sink) {
  return Dump(sink).run(path);
}

}  // namespace chunker
