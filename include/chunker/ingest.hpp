#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/algorithm_use.hpp"
#include "chunker/chunking.hpp"
#include "chunker/codec.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash_cache.hpp"
#include "chunker/store.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// One NAR to take in.
struct IngestSource {
  enum class Kind : std::uint8_t {
    nar_file,  ///< `path` is a NAR.
    tree,      ///< `path` is a file tree; its NAR is made on the way, as `nix-store --dump` would.
    file_descriptor,  ///< A NAR from `descriptor` until its end; it stays open.
  };
  Kind kind = Kind::nar_file;
  std::filesystem::path path;
  int descriptor = -1;
  std::string name;  ///< What to call it; empty means the path's last part, or the NAR's hash
                     ///< without a path.
};

template <>
inline constexpr Threads threads_of<IngestSource> = Threads::shared;

struct IngestOptions {
  ChunkingOptions chunking = ChunkingOptions::store();
  CompressionStrategy strategy = CompressionStrategy::balanced;
  /// What compresses to more than this share of itself is stored as it is; 0 to 1 (R15.6).
  double min_ratio_threshold = kMinRatioThreshold;
  /// A chunk that would take longer is compressed by a faster algorithm, or not at all; 0 is without end (R15.7).
  /// Time is what a thread computes, so that other work on the machine changes nothing; deltas are not counted.
  std::uint32_t max_compression_time_ms = 0;
  /// References are taken out behind this prefix (doc/format/references.md); empty leaves them in the data.
  std::string store_prefix = "/nix/store/";
  /// New chunks are stored as what distinguishes them from the package's version before, or from others that are
  /// alike (doc/format/pack.md).
  bool deltas = true;
  unsigned threads = 0;  ///< 0 means one per available processor; `quota` may allow fewer.
  CpuQuota
      quota{};  ///< Threads that only fetch a tree's files, or write the index, are not counted.
  /// Asked before a chunk is hashed, and told afterwards (R3.1); it may serve several calls at once. It must be of
  /// the store's hash. None by default: for when it pays see doc/adr/0050-hash-cache.md.
  std::shared_ptr<HashCache> hash_cache{};
  std::stop_token stop{};  ///< Stops before the next block of input; what is acknowledged stays.
};

template <>
inline constexpr Threads threads_of<IngestOptions> = Threads::shared;

/// What became of one source.
struct IngestedNar {
  std::string name;
  Digest nar_sha256;
  std::uint64_t nar_bytes = 0;
  std::uint64_t references = 0;  ///< Store hashes inside it that were taken out.
  std::uint64_t chunks = 0;
  std::uint64_t new_chunks = 0;        ///< Chunks that the store did not have.
  std::uint64_t new_raw_bytes = 0;     ///< Their size.
  std::uint64_t new_stored_bytes = 0;  ///< Their size as stored.
  std::uint64_t delta_raw_bytes = 0;   ///< Of their size, what was stored as deltas.
  std::uint64_t delta_stored_bytes = 0;
  /// What worked on it (R21.5): hashes named its chunks, whether new or not, and the NAR itself; codecs made
  /// new_stored_bytes of new chunks and the manifest's lists. Ordered as add_use() does.
  std::vector<AlgorithmUse> algorithms{};
  std::string
      older_kept_as{};  ///< What another NAR that had the name is called now; empty if none had it.
};

template <>
inline constexpr Threads threads_of<IngestedNar> = Threads::shared;

/// How far an operation has come; figures only grow.
struct Progress {
  std::uint64_t files_completed = 0;
  std::uint64_t files_total = 0;
  std::uint64_t bytes_processed = 0;
  std::uint64_t bytes_total = 0;  ///< 0 if unknown (pipes, trees).
  double elapsed_seconds = 0;
};

template <>
inline constexpr Threads threads_of<Progress> = Threads::shared;

/// Called once per source, when it is durable or has failed. Calls come from one thread at a time,
/// not necessarily the caller's, in no particular order. What it throws becomes the error of ingest(), once all is done.
using OnIngested = std::function<void(const IngestSource&, const Result<IngestedNar>&)>;
/// Called now and then, from one thread at a time. What it throws becomes the error of the operation, once all is done.
using OnProgress = std::function<void(const Progress&)>;

/// Takes NARs in: cut, hashed, deduplicated, compressed, stored (ARCHITECTURE.md, "The life of one
/// chunk"). A source that fails is reported and the rest go on. A name that meant another NAR means
/// the new one from now on; the older NAR is kept under NAME~ and digits of its hash: 12 of them, unless that
/// is another's name. Of a name that is too long for that, the end makes room.
/// Threads: `store` may be used by others meanwhile.
/// Errors:  only those that end the whole operation: invalid_argument for the options, io_no_space, io_*
///          from the store, cancelled, cpu_time_limit_exceeded, memory_limit_exceeded where the store's budget has no
///          room for one NAR.
///          Sources that were acknowledged before stay; the others were reported as failed.
/// Cost:    about 30 MiB per thread, as much again once there are deltas, and 64 MiB where many NARs are under way;
///          bytes are read once.
[[nodiscard]] Result<void> ingest(Store& store, std::span<const IngestSource> sources,
                                  const IngestOptions& options, const OnIngested& on_ingested,
                                  const OnProgress& on_progress = {});

}  // namespace chunker
