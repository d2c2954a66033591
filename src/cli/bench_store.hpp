#pragma once

#include <filesystem>
#include <stop_token>
#include <utility>
#include <vector>

#include "chunker/chunking.hpp"
#include "cli/bench_content.hpp"
#include "cli/bench_way.hpp"

namespace chunker::cli {

/// A directory of its own inside another one, removed with everything in it.
/// Owns:    the directory.
/// Threads: movable.
/// Errors:  io_*, with the path; what cannot be removed stays.
/// Cost:    a few system calls.
class BenchDirectory {
 public:
  [[nodiscard]] static Result<BenchDirectory> make(const std::filesystem::path& parent);
  BenchDirectory(BenchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  BenchDirectory& operator=(BenchDirectory&&) = delete;
  ~BenchDirectory();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit BenchDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

struct StoreBench {
  ChunkingOptions chunking;
  unsigned threads = 0;  ///< 0 means one per available processor.
  std::stop_token stop{};
};

/// The whole way into a store and out of it: NARs from files into a new store, the same once more, and back into
/// files, all of them inside `directory`. Ways are to run in this order.
/// Errors: io_* from writing what was made up.
[[nodiscard]] Result<std::vector<BenchWay>> store_ways(const BenchContent& content,
                                                       const BenchDirectory& directory,
                                                       const StoreBench& bench);

}  // namespace chunker::cli
