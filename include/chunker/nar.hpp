#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// How every NAR begins (24 bytes): the string "nix-archive-1" with its length and padding (R1.1).
inline constexpr std::string_view kNarMagic{"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0", 24};

enum class NarEntryType : std::uint8_t { regular = 1, directory = 2, symlink = 3 };

/// One file, directory or symlink of an archive.
struct NarEntry {
  std::string path;  ///< From the root, "bin/sh"; empty for the root itself. Bytes, not necessarily UTF-8.
  NarEntryType type = NarEntryType::regular;
  bool executable = false;
  /// Where its contents (regular) or target (symlink) begin in the archive, in bytes; for a directory
  /// where its node begins.
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;  ///< Of the contents or target, without padding; 0 for a directory.

  friend bool operator==(const NarEntry&, const NarEntry&) = default;
};

/// Receives what a NarParser sees, in archive order. An error it returns ends the parse with that error.
/// Views are valid during the call only.
class NarVisitor {
 public:
  virtual ~NarVisitor() = default;
  /// A directory begins, a symlink is complete (`target` is set), or the contents of a regular file begin
  /// at `entry.offset_bytes`: all of `entry` is known before the first byte of contents.
  virtual Result<void> on_entry(const NarEntry& entry, std::string_view target);
  /// The next piece of the current file's contents; never empty.
  virtual Result<void> on_contents(Bytes piece);
  /// The current file or directory is complete.
  virtual Result<void> on_entry_end(const NarEntry& entry);
};

/// Reads a NAR that arrives in pieces of any size, in constant memory (R1.6): what is kept is the current
/// path and one token. Strict: see doc/format/nar.md for what is rejected.
/// Owns:    its state; input is borrowed during feed() only.
/// Threads: movable.
/// Errors:  nar_* with the byte offset, and the entry's path as context. The first error is repeated by
///          every later call.
/// Cost:    file contents are skipped over, not looked at; the rest costs some ns a byte.
class NarParser {
 public:
  NarParser();
  NarParser(NarParser&&) noexcept;
  NarParser& operator=(NarParser&&) noexcept;
  ~NarParser();

  [[nodiscard]] Result<void> feed(Bytes piece, NarVisitor& visitor);
  /// The input ends here. Errors: nar_truncated unless the archive is complete.
  [[nodiscard]] Result<void> finish();
  /// Bytes consumed so far.
  [[nodiscard]] std::uint64_t offset_bytes() const noexcept;
  /// Whether the archive is complete.
  [[nodiscard]] bool complete() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarParser> = Threads::movable;

}  // namespace chunker
