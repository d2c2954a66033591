#pragma once

#include <filesystem>
#include <memory>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/sink.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Makes the NAR of a file, symlink or directory, byte for byte what `nix-store --dump` makes,
/// and hands it to `sink` piece by piece. Only `path` itself is looked up by name; below it
/// nothing is followed, whatever happens to the tree meanwhile.
/// Owns:    nothing.
/// Threads: any number of calls at once; `sink` is called by the calling thread.
/// Errors:  nar_unsupported_file for sockets, pipes and devices; io_changed if something is
///          replaced, vanishes, or changes size or time while it is read; nar_too_deep; io_*;
///          with the path. The sink's own. What the sink got until then is no archive.
/// Cost:    six system calls per file, ten per directory. Memory: 330 KiB and the names in the
///          directories on the way down; three file descriptors, however deep the tree is.
[[nodiscard]] Result<void> dump_tree(const std::filesystem::path& path, const ByteSink& sink);

/// Unpacks a NAR that arrives in pieces. Everything is made in a new directory beside the target,
/// which only this user can enter, and gets the target's name at the end: until then, and after
/// any error, there is no target. Nothing is followed and nothing replaced, so no archive and
/// nobody else can make it write outside. Modes are 0666 or 0777 less the umask; times are not
/// set.
/// Owns:    the unfinished tree, removed unless finish() succeeds; a process that is killed leaves
///          it behind as ".chunker-unpack-*".
/// Threads: movable.
/// Errors:  NarParser's; nar_unsafe_target if the target exists, at the beginning or at the end,
///          or if two names of the archive are one on this file system; io_* with the path. The
///          first error is repeated by every later call.
/// Cost:    three system calls per file, as many for a directory. Nothing is synced. Five file
///          descriptors, however deep the tree is.
class NarUnpacker {
 public:
  /// `target` must not exist; its parent must.
  [[nodiscard]] static Result<NarUnpacker> create(const std::filesystem::path& target);
  NarUnpacker(NarUnpacker&&) noexcept;
  NarUnpacker& operator=(NarUnpacker&&) noexcept;
  ~NarUnpacker();

  [[nodiscard]] Result<void> feed(Bytes piece);
  /// The input ends here. The target is there when this returns without error.
  [[nodiscard]] Result<void> finish();

 private:
  struct State;
  explicit NarUnpacker(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarUnpacker> = Threads::movable;

}  // namespace chunker
