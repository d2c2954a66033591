#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/chunk.hpp"
#include "chunker/chunking.hpp"
#include "chunker/content_type.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/hash_cache.hpp"
#include "chunker/ingest.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/references.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct BatchOptions {
  HashAlgorithm hash = HashAlgorithm::blake3();
  unsigned threads = 0;  ///< 0 means one per available processor; `quota` may allow fewer.
  CpuQuota
      quota{};  ///< What was not reached within the time ends as cpu_time_limit_exceeded: chunk that again.
  std::size_t results_max = 16;   ///< Results that wait for the consumer, at most.
  bool profile_contents = false;  ///< Fill FileChunks::profiles; 4 to 7 us a chunk.
  /// References are taken out behind this prefix first, as ingest does with its own; empty leaves them in the data.
  std::string store_prefix{};
  bool deduplicate = false;  ///< Tell which chunks of a file came before (FileChunks::repeats).
  /// Asked before a chunk is hashed, and told afterwards (R3.1); it may serve several calls at once. It must be of
  /// `hash`. None by default: for when it pays see doc/adr/0050-hash-cache.md.
  std::shared_ptr<HashCache> hash_cache{};
  /// As many files at a time as it allows (R9.5), at least one; without it as many as there are threads.
  std::shared_ptr<MemoryBudget> memory_budget{};
  std::stop_token stop{};
};

template <>
inline constexpr Threads threads_of<BatchOptions> = Threads::shared;

/// The chunks of one file.
struct FileChunks {
  std::filesystem::path path;
  bool is_nar = false;
  std::uint64_t bytes = 0;
  std::vector<ChunkExtent> extents;
  std::vector<Digest> digests;    ///< One per extent.
  std::vector<NarEntry> entries;  ///< Of a NAR, in archive order.
  References
      references;  ///< With BatchOptions::store_prefix what was taken out; digests are of what is left.
  /// With BatchOptions::profile_contents one per extent (R16.1, R16.3, R16.6). Nothing of it is stored: it comes from
  /// the bytes at any time, in less time than it takes to read them.
  std::vector<ContentProfile> profiles;
  /// With BatchOptions::deduplicate one per chunk: whether next() has given it out before, in this file or an
  /// earlier one. What is left is each distinct chunk of the batch, once (R6.5).
  std::vector<bool> repeats;
};

template <>
inline constexpr Threads threads_of<FileChunks> = Threads::movable;

/// A file that could not be chunked, or could.
struct BatchResult {
  std::filesystem::path path;
  Result<FileChunks> chunks;
};

template <>
inline constexpr Threads threads_of<BatchResult> = Threads::movable;

/// Results of a batch as they come, in no particular order (R6.2). Workers wait when `results_max`
/// results are not taken yet, so memory is bounded; destroying the stream stops and joins them.
/// Owns:    its worker threads and untaken results.
/// Threads: movable; progress() from any thread.
/// Errors:  each in its own result (R6.3); the stream itself has none.
/// Cost:    a few MiB per thread; with deduplicate some 60 bytes per distinct chunk.
class BatchStream {
 public:
  BatchStream(BatchStream&&) noexcept;
  BatchStream& operator=(BatchStream&&) noexcept;
  ~BatchStream();

  /// The next result; nothing after the last one.
  [[nodiscard]] std::optional<BatchResult> next();
  [[nodiscard]] Progress progress() const;

 private:
  friend Result<BatchStream> batch_chunk_files(std::vector<std::filesystem::path>,
                                               const ChunkingOptions&, BatchOptions);
  struct State;
  explicit BatchStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<BatchStream> = Threads::movable;

/// Cuts and hashes many files side by side (R6.1). Errors: invalid_argument from resolve(), or for a store
/// prefix that is none or a cache of another hash; memory_limit_exceeded if the budget allows not even one file.
[[nodiscard]] Result<BatchStream> batch_chunk_files(std::vector<std::filesystem::path> paths,
                                                    const ChunkingOptions& options,
                                                    BatchOptions batch = {});

}  // namespace chunker
