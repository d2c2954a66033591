#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/error.hpp"

namespace chunker::nar {

/// Strings of an archive are followed by zeros up to a multiple of 8.
[[nodiscard]] constexpr std::uint64_t padded(std::uint64_t size_bytes) noexcept {
  return (size_bytes + 7) & ~std::uint64_t{7};
}

/// No archive is longer, so that offsets can be added without overflow and fit Nix's signed ones.
inline constexpr std::uint64_t kArchiveBytesMax = (std::uint64_t{1} << 63) - 1;

/// Room for everything that follows the contents of the deepest file.
inline constexpr std::uint64_t kArchiveTailBytesMax = std::uint64_t{1} << 20;

/// The longest contents that an archive can hold from `offset_bytes` on.
[[nodiscard]] constexpr std::uint64_t contents_bytes_max(std::uint64_t offset_bytes) noexcept {
  return kArchiveBytesMax - kArchiveTailBytesMax - offset_bytes;
}

/// What is wrong with a name or target, and at which of its bytes.
struct Flaw {
  ErrorCode code;
  std::string_view what;
  std::size_t at = 0;
};

[[nodiscard]] std::optional<Flaw> flaw_of_name(std::string_view name) noexcept;
[[nodiscard]] std::optional<Flaw> flaw_of_target(std::string_view target) noexcept;

/// Where reader or writer stands in the tree: the current entry's path and the directories around
/// it. A path stays until the next one replaces it, which is how names are known to ascend without
/// a list.
class EntryPath {
 public:
  /// Moves on to `name` in the innermost directory, unless it may not stand there.
  [[nodiscard]] std::optional<Flaw> move_to(std::string_view name);
  /// The current entry is a directory whose node begins at `offset_bytes`; go into it.
  void enter(std::uint64_t offset_bytes);
  /// Makes the innermost directory the current entry again; where its node begins.
  std::uint64_t leave();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Whether a directory is open.
  [[nodiscard]] bool inside() const noexcept { return !directories_.empty(); }
  /// Path of the innermost directory.
  [[nodiscard]] std::string_view directory() const noexcept;

 private:
  struct Directory {
    std::uint64_t offset_bytes;
    std::size_t path_bytes;
  };

  std::string path_;
  std::vector<Directory> directories_;
};

}  // namespace chunker::nar
