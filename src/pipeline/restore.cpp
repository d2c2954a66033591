#include "chunker/restore.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <system_error>
#include <utility>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/caller_errors.hpp"
#include "pipeline/restore_stages.hpp"
#include "pipeline/workers.hpp"
#include "resource/file.hpp"
#include "resource/replacement.hpp"

// The way back (ARCHITECTURE.md): manifest, frames, verified chunks, verified NAR, out. What happens to
// a NAR is in nar_restore.cpp, which of them when in restore_stages.cpp.
namespace chunker {
namespace {

using pipeline::NarOrder;
using pipeline::RestoreShared;

NarOrder file_order(const Digest& nar_sha256, const std::filesystem::path& path) {
  NarOrder order;
  order.nar_sha256 = nar_sha256;
  const auto output = std::make_shared<std::optional<resource::Replacement>>();
  order.on_begin = [output, &path](std::uint64_t nar_bytes) -> Result<void> {
    CHUNKER_TRY(auto replacement, resource::Replacement::begin(path));
    return output->emplace(std::move(replacement)).reserve(nar_bytes);
  };
  order.sink = [output](Bytes bytes) { return (*output)->append(bytes); };
  order.on_verified = [output] { return (*output)->commit(); };
  return order;
}

/// Runs `work` with everything that restoring shares.
/// Errors: cpu_time_limit_exceeded, if a NAR was left undone for that.
template <class Work>
Result<void> with_shared(const Store& store, std::size_t nars, const RestoreOptions& options,
                         pipeline::ProgressMeter* progress, Work&& work) {
  Store::Parts& parts = store.parts();
  CHUNKER_TRY(const auto memory,
              pipeline::plan_restore(*parts.memory,
                                     pipeline::thread_count(options.threads, options.quota), nars));
  const auto cpu = pipeline::CpuUse::make_if_any(options.quota, memory.threads);
  const std::shared_lock reading(parts.reading);
  pipeline::Pool<pipeline::FrameRun> runs;
  pipeline::NarHashes hashes(memory.hash_bytes_max);
  tbb::enumerable_thread_specific<store::FrameReader> readers(
      [&parts] { return store::FrameReader(parts); });
  work(RestoreShared{parts, memory, options.stop, cpu.get(), progress, runs, hashes, readers});
  return cpu != nullptr && cpu->stopped() ? cpu->check_limit() : Result<void>();
}

Result<void> restore_one(const Store& store, const RestoreOptions& options, NarOrder order) {
  Result<void> result;
  order.on_end = [&result](Result<void> ended) { result = std::move(ended); };
  std::optional<NarOrder> next(std::move(order));
  CHUNKER_TRY_VOID(with_shared(store, 1, options, nullptr, [&](const RestoreShared& shared) {
    pipeline::restore_nars(shared, 1, [&] { return std::exchange(next, std::nullopt); });
  }));
  return result;
}

struct SizedJob {
  const RestoreJob* job;
  std::uint64_t nar_bytes;  ///< 0 if the store does not have it.
};

/// Begun last, a NAR of this size would keep one thread busy while the others have nothing left to do.
constexpr std::uint64_t kLargeNarBytes = std::uint64_t{16} << 20;

/// The large NARs first, the largest of them at the head, then the others as they were given.
std::vector<SizedJob> in_order_of_work(const Store& store, std::span<const RestoreJob> jobs) {
  std::vector<SizedJob> sized;
  for (const RestoreJob& job : jobs) {
    const auto found = store.parts().index->manifest(job.nar_sha256);
    sized.push_back({&job, found && *found ? (*found)->nar_bytes : 0});
  }
  std::ranges::sort(sized, {}, [](const SizedJob& job) {
    const bool large = job.nar_bytes >= kLargeNarBytes;
    return std::pair(large ? ~job.nar_bytes : ~std::uint64_t{0}, job.job);
  });
  return sized;
}

Result<void> restore_all(const Store& store, std::span<const RestoreJob> jobs,
                         const RestoreOptions& options, const OnRestored& on_restored,
                         const OnProgress& on_progress) {
  const auto ordered = in_order_of_work(store, jobs);
  std::uint64_t total_bytes = 0;
  for (const SizedJob& sized : ordered) total_bytes += sized.nar_bytes;
  pipeline::ProgressMeter progress(on_progress, jobs.size(), total_bytes);
  base::Mutex reporting;
  pipeline::CallerErrors caller_errors;
  std::atomic<std::size_t> next_job{0};
  const auto next_order = [&]() -> std::optional<NarOrder> {
    const std::size_t i = next_job++;
    if (i >= ordered.size()) return std::nullopt;
    const RestoreJob& wanted = *ordered[i].job;
    auto order = file_order(wanted.nar_sha256, wanted.path);
    order.on_end = [&, &job = wanted](const Result<void>& result) {
      const base::Lock lock(reporting);
      progress.add_file();
      if (on_restored) caller_errors.keep_of([&] { on_restored(job, result); });
    };
    return order;
  };
  const auto done =
      with_shared(store, jobs.size(), options, &progress, [&](const RestoreShared& shared) {
        pipeline::restore_nars(shared, jobs.size(), next_order);
      });
  CHUNKER_TRY_VOID(caller_errors.first());
  CHUNKER_TRY_VOID(progress.told());
  if (options.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  return done;
}

}  // namespace

Result<void> restore(const Store& store, const Digest& nar_sha256, const ByteSink& sink,
                     const RestoreOptions& options) {
  return pipeline::within_quota(options.quota, [&] {
    return restore_one(store, options, {nar_sha256, std::nullopt, {}, sink, {}, {}});
  });
}

Result<void> restore_range(const Store& store, const Digest& nar_sha256, ByteRange range,
                           const ByteSink& sink, const RestoreOptions& options) {
  return pipeline::within_quota(options.quota, [&] {
    return restore_one(store, options, {nar_sha256, range, {}, sink, {}, {}});
  });
}

Result<void> restore_to_file(const Store& store, const Digest& nar_sha256,
                             const std::filesystem::path& path, const RestoreOptions& options) {
  return pipeline::within_quota(
      options.quota, [&] { return restore_one(store, options, file_order(nar_sha256, path)); });
}

Result<void> restore_many(const Store& store, std::span<const RestoreJob> jobs,
                          const RestoreOptions& options, const OnRestored& on_restored,
                          const OnProgress& on_progress) {
  return pipeline::within_quota(
      options.quota, [&] { return restore_all(store, jobs, options, on_restored, on_progress); });
}

}  // namespace chunker
