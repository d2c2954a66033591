#pragma once

#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/nar.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Writes what a NarParser sees as Nix's listing, the `.ls` file of a binary cache, version 1:
///
///     {"version":1,"root":{"type":"directory","entries":{
///       "hello":{"type":"regular","size":3,"narOffset":232},
///       "link":{"type":"symlink","target":"hello"}}}}
///
/// on one line, byte for byte what Nix writes wherever Nix writes valid JSON. Names and targets are
/// bytes and JSON is text: a byte that is not part of well-formed UTF-8 becomes U+FFFD and its two
/// hexadecimal digits, and so do the three bytes of U+FFFD itself, so that different names stay
/// different (doc/format/nar.md).
/// Owns:    the text not yet taken.
/// Threads: movable.
/// Errors:  none.
/// Cost:    the text's size, in memory too unless it is taken between pieces.
class NarListing final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view target) override;
  Result<void> on_entry_end(const NarEntry& entry) override;

  /// The text since the last call. All of it together is JSON once the parser is complete.
  [[nodiscard]] std::string take();

 private:
  void open_entry(const NarEntry& entry);
  void close_entry(const NarEntry& entry);

  std::string text_;
  bool after_sibling_ = false;
};

template <>
inline constexpr Threads threads_of<NarListing> = Threads::movable;

/// The listing of a whole archive in memory. Errors: NarParser's.
[[nodiscard]] Result<std::string> nar_listing_json(Bytes nar);

}  // namespace chunker
