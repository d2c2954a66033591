#include "chunker/restore.hpp"

#include <atomic>
#include <shared_mutex>
#include <system_error>
#include <utility>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/nar_restore.hpp"
#include "pipeline/workers.hpp"
#include "resource/file.hpp"
#include "resource/replacement.hpp"

// The way back (ARCHITECTURE.md): manifest, frames, verified chunks, verified NAR, out. Each NAR's stages
// are in nar_restore.cpp; here many NARs run side by side.
namespace chunker {
namespace {

using pipeline::RestoreShared;

Result<void> restore_into_file(const RestoreShared& shared, const Digest& nar_sha256,
                               const std::filesystem::path& path) {
  CHUNKER_TRY(auto output, resource::Replacement::begin(path));
  CHUNKER_TRY_VOID(pipeline::restore_nar(
      shared, nar_sha256, std::nullopt, [&output](Bytes bytes) { return output.append(bytes); },
      [&output](std::uint64_t nar_bytes) { return output.reserve(nar_bytes); }));
  return output.commit();
}

/// Runs `work` with everything that restoring shares.
template <class Work>
auto with_shared(const Store& store, const RestoreOptions& options,
                 pipeline::ProgressMeter* progress, Work&& work) {
  Store::Parts& parts = store.parts();
  const std::shared_lock reading(parts.reading);
  pipeline::Pool<pipeline::FrameRun> runs;
  pipeline::NarHashes hashes;
  tbb::enumerable_thread_specific<store::FrameReader> readers(
      [&parts] { return store::FrameReader(parts); });
  return work(RestoreShared{parts, pipeline::thread_count(options.threads), options.stop, progress,
                            runs, hashes, readers});
}

Result<void> restore_one(const Store& store, const RestoreOptions& options,
                         const std::function<Result<void>(const RestoreShared&)>& restore_it) {
  return with_shared(store, options, nullptr, [&](const RestoreShared& shared) {
    Result<void> result;
    pipeline::for_each_in_order(shared.threads, 1, [&](std::size_t) {
      result = pipeline::catching([&] { return restore_it(shared); });
    });
    return result;
  });
}

std::uint64_t total_bytes(const Store& store, std::span<const RestoreJob> jobs) {
  std::uint64_t total = 0;
  for (const RestoreJob& job : jobs) {
    if (const auto found = store.parts().index->manifest(job.nar_sha256); found && *found) {
      total += (*found)->nar_bytes;
    }
  }
  return total;
}

}  // namespace

Result<void> restore(const Store& store, const Digest& nar_sha256, const ByteSink& sink,
                     const RestoreOptions& options) {
  return restore_one(store, options, [&](const RestoreShared& shared) {
    return pipeline::restore_nar(shared, nar_sha256, std::nullopt, sink);
  });
}

Result<void> restore_range(const Store& store, const Digest& nar_sha256, ByteRange range,
                           const ByteSink& sink, const RestoreOptions& options) {
  return restore_one(store, options, [&](const RestoreShared& shared) {
    return pipeline::restore_nar(shared, nar_sha256, range, sink);
  });
}

Result<void> restore_to_file(const Store& store, const Digest& nar_sha256,
                             const std::filesystem::path& path, const RestoreOptions& options) {
  return restore_one(store, options, [&](const RestoreShared& shared) {
    return restore_into_file(shared, nar_sha256, path);
  });
}

Result<void> restore_many(const Store& store, std::span<const RestoreJob> jobs,
                          const RestoreOptions& options, const OnRestored& on_restored,
                          const OnProgress& on_progress) {
  pipeline::ProgressMeter progress(on_progress, jobs.size(), total_bytes(store, jobs));
  base::Mutex reporting;
  with_shared(store, options, &progress, [&](const RestoreShared& shared) {
    pipeline::for_each_in_order(shared.threads, jobs.size(), [&](std::size_t i) {
      const auto result = pipeline::catching(
          [&] { return restore_into_file(shared, jobs[i].nar_sha256, jobs[i].path); });
      const base::Lock lock(reporting);
      progress.add_file();
      if (on_restored) on_restored(jobs[i], result);
    });
    return 0;
  });
  if (options.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  return {};
}

}  // namespace chunker
