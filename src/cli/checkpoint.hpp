#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "chunker/ingest.hpp"
#include "chunker/store.hpp"

namespace chunker::cli {

/// Remembers in a file which NAR files were taken in, so that the same ingest can go on where it stopped, however it
/// stopped. A line for each: its NAR's SHA-256, size, time of change in nanoseconds, path. A line counts while the
/// file still has that size and time, and the store that NAR under that name: so none can make chunker skip what it
/// does not have.
/// Owns:    the open file and what it said.
/// Threads: movable.
/// Errors:  io_* when it cannot be opened; invalid_argument for a file that is no checkpoint.
/// Cost:    about 150 bytes and one look at the file system per NAR file.
class Checkpoint {
 public:
  [[nodiscard]] static Result<Checkpoint> open(const std::string& path);

  /// Takes out of `sources` those that were taken in before; returns how many these are.
  std::size_t skip_known(const Store& store, std::vector<IngestSource>& sources);
  /// `source` is durable now.
  void add(const IngestSource& source, const Digest& nar_sha256);
  /// All is done: nothing is to be remembered any more. Errors: io_*, also those of earlier lines.
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
  void read_line(const std::string& line);
  static bool stamp_of(const IngestSource& source, Stamp& stamp);

  std::string path_;
  std::ofstream file_;
  std::unordered_map<std::string, Known> known_;  ///< By path.
  std::unordered_map<std::string, Stamp> begun_;  ///< As they were before they were read.
};

}  // namespace chunker::cli
