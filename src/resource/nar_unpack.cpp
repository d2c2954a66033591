#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/hex.hpp"
#include "base/try.hpp"
#include "chunker/nar.hpp"
#include "chunker/nar_tree.hpp"
#include "resource/descent.hpp"
#include "resource/directory.hpp"

namespace chunker {
namespace {

using resource::File;

/// The archive's root inside the temporary directory.
constexpr const char* kRootName = "root";

std::unexpected<Error> unsafe(std::string_view what, const std::filesystem::path& shown) {
  return base::fail(ErrorCode::nar_unsafe_target, what, Error::kNoOffset, shown.string());
}

bool exists(int at, const std::string& name) noexcept {
  struct ::stat status{};
  return ::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// What differs between systems, and nothing else: renaming that never replaces.
#if defined(__linux__)
int rename_new(int from_at, const char* from, int to_at, const char* to) noexcept {
  return ::renameat2(from_at, from, to_at, to, RENAME_NOREPLACE);
}
#elif defined(__APPLE__)
int rename_new(int from_at, const char* from, int to_at, const char* to) noexcept {
  return ::renameatx_np(from_at, from, to_at, to, RENAME_EXCL);
}
#else
int rename_new(int, const char*, int, const char*) noexcept {
  errno = EINVAL;
  return -1;
}
#endif

/// Some file systems (NFS) cannot do it in one step; there, what others make within microseconds
/// may be replaced.
int rename_unless_there(int from_at, const char* from, int to_at, const char* to) noexcept {
  if (rename_new(from_at, from, to_at, to) == 0) return 0;
  if (errno != EINVAL && errno != ENOTSUP) return -1;
  if (!exists(to_at, to)) return ::renameat(from_at, from, to_at, to);
  errno = EEXIST;
  return -1;
}

/// Makes a directory of a new name that nobody else can enter.
Result<std::string> make_private_directory(const File& parent) {
  std::array<std::byte, 8> number;
  for (;;) {
    if (::getentropy(number.data(), number.size()) < 0) {
      return std::unexpected(resource::system_error(errno, "no random number", parent.path()));
    }
    std::string name = ".chunker-unpack-" + base::to_hex(number);
    if (::mkdirat(parent.descriptor(), name.c_str(), 0700) == 0) return name;
    if (errno != EEXIST) {
      return std::unexpected(
          resource::system_error(errno, "cannot make a directory in this", parent.path()));
    }
  }
}

}  // namespace

struct NarUnpacker::State final : NarVisitor {
  ~State() override { discard(); }

  static Result<std::unique_ptr<State>> create(const std::filesystem::path& target);
  Result<void> feed(Bytes piece);
  Result<void> finish();

  Result<void> on_entry(const NarEntry& entry, std::string_view link_target) override;
  Result<void> on_contents(Bytes piece) override { return file.write_all(piece); }
  Result<void> on_entry_end(const NarEntry& entry) override;

  Result<void> make_directory(int at, const std::string& name, const NarEntry& entry);
  Result<void> make_file(int at, const std::string& name, const NarEntry& entry);
  Result<void> commit();
  Result<void> settle(Result<void> result);
  void discard();
  std::unexpected<Error> failed_to_make(const NarEntry& entry) const;

  std::filesystem::path target;
  std::string target_name;
  File parent;
  std::string temporary_name;     // in `parent`; empty once it is gone
  File temporary;                 // closed once it is gone
  resource::Descent directories;  // in it, the root and on to the current one
  File file;                      // whose contents come now
  NarParser parser;
  std::optional<Error> error;
};

Result<std::unique_ptr<NarUnpacker::State>> NarUnpacker::State::create(
    const std::filesystem::path& target) {
  auto state = std::make_unique<State>();
  state->target = target.has_filename() ? target : target.parent_path();
  state->target_name = state->target.filename().native();
  if (state->target_name.empty() || state->target_name == "." || state->target_name == "..") {
    return unsafe("the target needs a name of its own", target);
  }
  std::filesystem::path parent = state->target.parent_path();
  if (parent.empty()) parent = ".";
  // With the slash the parent itself may be a symlink: whose it is, is the caller's business.
  CHUNKER_TRY(state->parent, resource::open_directory(AT_FDCWD, parent.native() + "/", parent));
  if (exists(state->parent.descriptor(), state->target_name)) {
    return unsafe("the target exists already", target);
  }
  CHUNKER_TRY(state->temporary_name, make_private_directory(state->parent));
  CHUNKER_TRY(state->temporary, resource::open_directory(state->parent.descriptor(),
                                                         state->temporary_name, state->target));
  return state;
}

Result<void> NarUnpacker::State::feed(Bytes piece) {
  if (error) return std::unexpected(*error);
  return settle(parser.feed(piece, *this));
}

Result<void> NarUnpacker::State::finish() {
  if (error) return std::unexpected(*error);
  Result<void> result = parser.finish();
  if (result) result = commit();
  return settle(std::move(result));
}

// An error is remembered, and nothing is left of what was made until then.
Result<void> NarUnpacker::State::settle(Result<void> result) {
  if (!result) {
    error = result.error();
    discard();
  }
  return result;
}

// By descriptor, and by name only an empty directory: whatever others did to the name meanwhile,
// only what was unpacked is removed.
void NarUnpacker::State::discard() {
  file = File();
  directories = {};
  if (temporary.is_open()) {
    resource::remove_all_in(temporary);
    temporary = File();
  }
  if (!temporary_name.empty()) {
    ::unlinkat(parent.descriptor(), temporary_name.c_str(), AT_REMOVEDIR);
    temporary_name.clear();
  }
}

Result<void> NarUnpacker::State::on_entry(const NarEntry& entry, std::string_view link_target) {
  const int at = (directories.is_empty() ? temporary : directories.current()).descriptor();
  const std::string name =
      entry.path.empty() ? kRootName : entry.path.substr(entry.path.rfind('/') + 1);
  switch (entry.type) {
    case NarEntryType::directory:
      return make_directory(at, name, entry);
    case NarEntryType::regular:
      return make_file(at, name, entry);
    case NarEntryType::symlink:
      if (::symlinkat(std::string(link_target).c_str(), at, name.c_str()) == 0) return {};
      return failed_to_make(entry);
  }
  return {};
}

Result<void> NarUnpacker::State::make_directory(int at, const std::string& name,
                                                const NarEntry& entry) {
  if (::mkdirat(at, name.c_str(), 0777) < 0) return failed_to_make(entry);
  CHUNKER_TRY(File made, resource::open_directory(at, name, target / entry.path));
  return directories.enter(std::move(made));
}

Result<void> NarUnpacker::State::make_file(int at, const std::string& name, const NarEntry& entry) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const int descriptor = ::openat(at, name.c_str(), flags, entry.executable ? 0777 : 0666);
  if (descriptor < 0) return failed_to_make(entry);
  file = File::adopt(descriptor, target / entry.path);
  return {};
}

Result<void> NarUnpacker::State::on_entry_end(const NarEntry& entry) {
  if (entry.type == NarEntryType::regular) return file.close();
  return directories.leave();
}

std::unexpected<Error> NarUnpacker::State::failed_to_make(const NarEntry& entry) const {
  const int error_number = errno;
  const std::filesystem::path shown = target / entry.path;
  if (error_number == EEXIST) {
    return unsafe("another name of the archive is the same on this file system", shown);
  }
  return std::unexpected(resource::system_error(error_number, "cannot make this", shown));
}

Result<void> NarUnpacker::State::commit() {
  if (!temporary.is_open()) return {};  // finished before
  const int from = temporary.descriptor();
  const int to = parent.descriptor();
  if (rename_unless_there(from, kRootName, to, target_name.c_str()) < 0) {
    if (errno == EEXIST) return unsafe("the target was made by somebody else meanwhile", target);
    return std::unexpected(resource::system_error(errno, "cannot rename to this", target));
  }
  discard();
  return {};
}

NarUnpacker::NarUnpacker(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
NarUnpacker::NarUnpacker(NarUnpacker&&) noexcept = default;
NarUnpacker& NarUnpacker::operator=(NarUnpacker&&) noexcept = default;
NarUnpacker::~NarUnpacker() = default;

Result<NarUnpacker> NarUnpacker::create(const std::filesystem::path& target) {
  CHUNKER_TRY(auto state, State::create(target));
  return NarUnpacker(std::move(state));
}
Result<void> NarUnpacker::feed(Bytes piece) { return state_->feed(piece); }
Result<void> NarUnpacker::finish() { return state_->finish(); }

}  // namespace chunker
