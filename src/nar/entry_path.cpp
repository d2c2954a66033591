#include "nar/entry_path.hpp"

#include "chunker/nar.hpp"

namespace chunker::nar {

std::optional<Flaw> flaw_of_name(std::string_view name) noexcept {
  constexpr auto code = ErrorCode::nar_bad_name;
  if (name.empty()) return Flaw{code, "name is empty"};
  if (name.size() > kNarNameBytesMax) return Flaw{code, "name is longer than 255 bytes"};
  if (name == "." || name == "..") return Flaw{code, "name is \".\" or \"..\""};
  if (const auto at = name.find('/'); at != name.npos) return Flaw{code, "name holds '/'", at};
  if (const auto at = name.find('\0'); at != name.npos) return Flaw{code, "name holds NUL", at};
  return std::nullopt;
}

std::optional<Flaw> flaw_of_target(std::string_view target) noexcept {
  constexpr auto code = ErrorCode::nar_bad_target;
  if (target.empty()) return Flaw{code, "symlink target is empty"};
  if (target.size() > kNarTargetBytesMax) {
    return Flaw{code, "symlink target is longer than 4095 bytes"};
  }
  if (const auto at = target.find('\0'); at != target.npos) {
    return Flaw{code, "symlink target holds NUL", at};
  }
  return std::nullopt;
}

std::optional<Flaw> EntryPath::move_to(std::string_view name) {
  if (const auto flaw = flaw_of_name(name)) return flaw;
  const std::size_t directory_bytes = directory().size();
  const std::size_t name_at = directory_bytes == 0 ? 0 : directory_bytes + 1;
  const bool first = path_.size() == directory_bytes;
  if (!first && name <= std::string_view(path_).substr(name_at)) {
    return Flaw{ErrorCode::nar_names_unsorted, "name does not come after the one before"};
  }
  if (name_at + name.size() > kNarPathBytesMax) {
    return Flaw{ErrorCode::nar_too_deep, "path is longer than 4095 bytes"};
  }
  path_.resize(directory_bytes);
  if (directory_bytes != 0) path_.push_back('/');
  path_.append(name);
  return std::nullopt;
}

void EntryPath::enter(std::uint64_t offset_bytes) {
  directories_.push_back({offset_bytes, path_.size()});
}

std::uint64_t EntryPath::leave() {
  const Directory left = directories_.back();
  directories_.pop_back();
  path_.resize(left.path_bytes);
  return left.offset_bytes;
}

std::string_view EntryPath::directory() const noexcept {
  if (directories_.empty()) return {};
  return std::string_view(path_).substr(0, directories_.back().path_bytes);
}

}  // namespace chunker::nar
