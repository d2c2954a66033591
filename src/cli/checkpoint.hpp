#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chunker/ingest.hpp"
#include "chunker/store.hpp"

namespace chunker::cli {

/// Remembers in a file which NAR files were taken in, so that the same ingest can go on where it stopped, however it
/// stopped. A line for each: its NAR's SHA-256, size, time of change in nanoseconds, path. A line counts while the
/// file still has that size and time, and the store that NAR, with all of its chunks, under that name: so none can
/// make chunker skip what it does not have. The time is that of the inode, which nobody can set back.
/// Owns:    the open file and what it said.
/// Threads: movable.
/// Errors:  io_* when it cannot be opened or written; invalid_argument for what is no checkpoint, or a link.
/// Cost:    about 150 bytes and one look at the file system per NAR file, and reading the manifest of
///          one that is skipped.
class Checkpoint {
 public:
  [[nodiscard]] static Result<Checkpoint> open(const std::string& path);

  /// Takes out of `sources` those that were taken in before; returns how many these are.
  std::size_t skip_known(const Store& store, std::vector<IngestSource>& sources);
  /// `source` is durable now. Errors: io_*, once; later ones are not remembered either.
  [[nodiscard]] Result<void> add(const IngestSource& source, const Digest& nar_sha256);
  /// All is done: nothing is to be remembered any more. Errors: io_*.
  [[nodiscard]] Result<void> remove();

 private:
  /// What tells that a file is still the same.
  struct Stamp {
    std::uint64_t bytes = 0;
    std::int64_t changed_ns = 0;

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct Known {
    Digest nar_sha256;
    Stamp stamp;
  };

  explicit Checkpoint(std::string path) : path_(std::move(path)) {}
  /// False if there is no such file.
  [[nodiscard]] Result<bool> read();
  void read_line(const std::string& line);
  /// At the end of the file. Errors: io_*.
  [[nodiscard]] Result<void> write(std::string_view text);
  static bool stamp_of(const IngestSource& source, Stamp& stamp);

  std::string path_;
  std::ofstream file_;
  std::unordered_map<std::string, Known> known_;  ///< By path.
  std::unordered_map<std::string, Stamp> begun_;  ///< As they were before they were read.
};

}  // namespace chunker::cli
