#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>

#include "chunker/bytes.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/ingest.hpp"
#include "chunker/sink.hpp"
#include "chunker/store.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct RestoreOptions {
  unsigned threads = 0;  ///< 0 means one per available processor; `quota` may allow fewer.
  /// One NAR is always finished, so a time limit is for restore_many() alone: a call for one NAR never reaches it. A
  /// pipe gets the whole NAR or an error, and half of a file is worth nothing.
  CpuQuota quota{};
  std::stop_token stop{};
};

template <>
inline constexpr Threads threads_of<RestoreOptions> = Threads::shared;

/// Gives a NAR back, in order. Every chunk is verified before its bytes reach `sink`, and the whole
/// NAR's SHA-256 before success is returned: a caller must not trust what came through the sink
/// until then.
/// Threads: `store` may be used by others meanwhile; `sink` is called by one thread at a time.
/// Errors:  store_not_found, store_chunk_missing, digest_mismatch, store_corrupt, codec_*, io_*,
///          cancelled; invalid_argument for the quota; memory_limit_exceeded where the store's budget has no room for one NAR; those of `sink`, and
///          `internal` for what it throws.
/// Cost:    reads each frame once; about 20 MiB per thread, and 40 more once there are deltas.
[[nodiscard]] Result<void> restore(const Store& store, const Digest& nar_sha256,
                                   const ByteSink& sink, const RestoreOptions& options = {});

/// A stretch of a NAR.
struct ByteRange {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
};

template <>
inline constexpr Threads threads_of<ByteRange> = Threads::shared;

/// Gives part of a NAR back, in order: the chunks it touches are read and verified, and no others.
/// Threads, cost: as restore().
/// Errors:  those of restore(), except that the whole NAR's SHA-256 is not known; invalid_argument for a range
///          outside the NAR.
[[nodiscard]] Result<void> restore_range(const Store& store, const Digest& nar_sha256,
                                         ByteRange range, const ByteSink& sink,
                                         const RestoreOptions& options = {});

/// The whole NAR into a file, which appears under `path` only once it is complete and verified; a file
/// that was there before is replaced then. Nothing is synced: the store has the NAR still, if the power fails.
/// A process that is killed leaves the unfinished file, `.NAME.partial-` and a number, beside `path`. It is not removed
/// later, because it cannot be told from that of another restore which still goes on.
[[nodiscard]] Result<void> restore_to_file(const Store& store, const Digest& nar_sha256,
                                           const std::filesystem::path& path,
                                           const RestoreOptions& options = {});

struct RestoreJob {
  Digest nar_sha256;
  std::filesystem::path path;
};

template <>
inline constexpr Threads threads_of<RestoreJob> = Threads::shared;

/// Called once per job, from one thread at a time, in no particular order. What it throws becomes the error of
/// restore_many(), once all is done. The store is being read meanwhile: gc and repair must not be called from here.
using OnRestored = std::function<void(const RestoreJob&, const Result<void>&)>;

/// Many NARs into files, several at once. A job that fails is reported and the rest go on. Those that were not reached
/// within the quota's time are reported with cpu_time_limit_exceeded, and have no file: ask for them again.
/// Errors: cancelled; invalid_argument for the quota; cpu_time_limit_exceeded; memory_limit_exceeded where not even a NAR can be begun, and then some jobs are not reported.
[[nodiscard]] Result<void> restore_many(const Store& store, std::span<const RestoreJob> jobs,
                                        const RestoreOptions& options,
                                        const OnRestored& on_restored,
                                        const OnProgress& on_progress = {});

}  // namespace chunker
