#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/sink.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// How every NAR begins (24 bytes): the string "nix-archive-1" with its length and padding (R1.1).
inline constexpr std::string_view kNarMagic{"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0", 24};

// What an archive may hold, reader and writer alike; the reasons are in doc/format/nar.md.

/// Linux's NAME_MAX: no file system takes a longer name.
inline constexpr std::size_t kNarNameBytesMax = 255;
/// PATH_MAX without its NUL: no kernel keeps a longer target.
inline constexpr std::size_t kNarTargetBytesMax = 4095;
/// PATH_MAX without its NUL: no system call takes a longer path, so Nix neither dumps nor restores
/// what lies deeper; and it keeps an archive of a few MB from naming GBs of paths.
inline constexpr std::size_t kNarPathBytesMax = 4095;
/// Directories inside each other, the root not counted. Follows from the path: a level is two bytes
/// or more.
inline constexpr std::size_t kNarDepthMax = (kNarPathBytesMax + 1) / 2;

enum class NarEntryType : std::uint8_t { regular = 1, directory = 2, symlink = 3 };

/// One file, directory or symlink of an archive.
struct NarEntry {
  /// From the root, "bin/sh"; empty for the root itself. Bytes, not necessarily UTF-8.
  std::string path;
  NarEntryType type = NarEntryType::regular;
  bool executable = false;
  /// Where its contents (regular) or target (symlink) begin in the archive, in bytes; for a
  /// directory where its node begins.
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;  ///< Of the contents or target, without padding; 0 for a directory.

  friend bool operator==(const NarEntry&, const NarEntry&) = default;
};

template <>
inline constexpr Threads threads_of<NarEntry> = Threads::movable;

/// Receives what a NarParser sees, in archive order.
/// Owns:    nothing; views are valid during the call only.
/// Threads: confined to the thread that feeds the parser.
/// Errors:  one that it returns ends the parse with that error.
/// Cost:    one virtual call per entry and per piece of contents.
class NarVisitor {
 public:
  virtual ~NarVisitor() = default;
  /// A directory begins, a symlink is complete (`target` is set), or the contents of a regular file
  /// begin at `entry.offset_bytes`: all of `entry` is known before the first byte of contents.
  virtual Result<void> on_entry(const NarEntry& entry, std::string_view target);
  /// The next piece of the current file's contents; never empty, never for an empty file.
  virtual Result<void> on_contents(Bytes piece);
  /// The current file or directory is complete. Not called for symlinks.
  virtual Result<void> on_entry_end(const NarEntry& entry);
};

template <>
inline constexpr Threads threads_of<NarVisitor> = Threads::confined;

/// Reads a NAR that arrives in pieces of any size, in constant memory (R1.6): what is kept is the
/// current path and one token. Strict: see doc/format/nar.md for what is rejected. How the input is
/// split changes neither the error nor the events, but for the pieces of contents.
/// Owns:    its state; input is borrowed during feed() only.
/// Threads: movable.
/// Errors:  nar_* with the byte offset of the fault and the entry's path as context. The first
///          error, a visitor's too, is repeated by every later call.
/// Cost:    file contents are skipped over, not looked at; an entry costs about 300 ns. 5 KiB of
///          memory, 80 KiB for the deepest tree.
class NarParser {
 public:
  NarParser();
  NarParser(NarParser&&) noexcept;
  NarParser& operator=(NarParser&&) noexcept;
  ~NarParser();

  [[nodiscard]] Result<void> feed(Bytes piece, NarVisitor& visitor);
  /// The input ends here. Errors: nar_truncated unless the archive is complete.
  [[nodiscard]] Result<void> finish();
  /// Bytes consumed so far; without meaning after an error.
  [[nodiscard]] std::uint64_t offset_bytes() const noexcept;
  /// Whether the archive is complete.
  [[nodiscard]] bool complete() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarParser> = Threads::movable;

/// Writes a NAR, token by token, exactly as Nix does. The first entry is the root and has an empty
/// name; what is added while a directory is open goes into it, names ascending strictly (bytewise).
///
///     NarWriter nar(sink);
///     nar.begin_directory("");
///     nar.begin_file("hello", {.executable = false, .size_bytes = 3});
///     nar.contents(bytes_of("hi\n"));   // in pieces of any size; the file ends with its last byte
///     nar.add_symlink("link", "hello");
///     nar.end_directory();
///     nar.finish();
///
/// Owns:    its state, at most 64 KiB of output not yet handed to the sink, and the sink.
/// Threads: movable.
/// Errors:  nar_bad_name, nar_names_unsorted, nar_bad_target, nar_bad_length and nar_too_deep for
///          what NarParser would reject; invalid_argument for calls in an order that makes no
///          archive; the sink's own. The entry's path is the context. The first error is repeated
///          by every later call.
/// Cost:    large pieces of contents go to the sink as they are; the rest is copied once.
class NarWriter {
 public:
  struct File {
    bool executable = false;
    std::uint64_t size_bytes = 0;
  };

  explicit NarWriter(ByteSink sink);
  NarWriter(NarWriter&&) noexcept;
  NarWriter& operator=(NarWriter&&) noexcept;
  ~NarWriter();

  [[nodiscard]] Result<void> begin_directory(std::string_view name);
  [[nodiscard]] Result<void> end_directory();
  [[nodiscard]] Result<void> add_symlink(std::string_view name, std::string_view target);
  /// Exactly `file.size_bytes` of contents() must follow.
  [[nodiscard]] Result<void> begin_file(std::string_view name, File file);
  [[nodiscard]] Result<void> contents(Bytes piece);
  /// The archive is complete: hands everything to the sink.
  [[nodiscard]] Result<void> finish();
  /// Bytes of archive made so far.
  [[nodiscard]] std::uint64_t offset_bytes() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarWriter> = Threads::movable;

}  // namespace chunker
