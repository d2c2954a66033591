#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "chunker/error.hpp"
#include "resource/file.hpp"

namespace chunker::resource {

/// The directories on the way down a tree, however deep: open are the current one and the one above it. Those further
/// up are opened again on the way back, as the ".." of what lies in them, and are then the same as before or an error.
/// The one above stays, because a directory that nothing can be looked up in, not even "..", has nothing below it.
/// Owns:    the open directories.
/// Threads: movable.
/// Errors:  io_changed if a directory was moved elsewhere meanwhile; io_*.
/// Cost:    60 bytes a level, and three system calls for one that was closed.
class Descent {
 public:
  /// The most that are open at once, with one that is about to be entered or a file that is read beside them.
  static constexpr std::size_t kDescriptorsMax = 3;

  /// `directory` lies in the current one, if there is one.
  [[nodiscard]] Result<void> enter(File directory);
  /// Back to the one above.
  [[nodiscard]] Result<void> leave();

  [[nodiscard]] bool is_empty() const noexcept { return levels_.empty(); }
  /// There must be one.
  [[nodiscard]] const File& current() const noexcept { return levels_.back().directory; }

 private:
  static constexpr std::size_t kOpen = 2;

  struct Level {
    File directory;
    ::dev_t device = 0;  ///< What it was when it was closed.
    ::ino_t inode = 0;
  };

  std::vector<Level> levels_;
};

}  // namespace chunker::resource
