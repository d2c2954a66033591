#include "chunker/ingest.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/caller_errors.hpp"
#include "pipeline/ingest_queue.hpp"
#include "pipeline/ingest_stages.hpp"
#include "pipeline/workers.hpp"
#include "store/parts.hpp"
#include "store/writer.hpp"

// The way in (ARCHITECTURE.md, "The life of one chunk"): read, references taken out, cut, hash, known?, delta or
// compress, pack, manifest, durable, acknowledged. What happens to a NAR is in nar_ingest.cpp, how stages work side by
// side in ingest_stages.cpp, which NAR is next in ingest_queue.cpp.
namespace chunker {
namespace {

using pipeline::IngestOrder;
using pipeline::IngestShared;

/// Reports each source once, from one thread at a time.
class Reporter {
 public:
  Reporter(const OnIngested& on_ingested, pipeline::ProgressMeter& progress)
      : on_ingested_(on_ingested), progress_(progress) {}

  void report(const IngestSource& source, const Result<IngestedNar>& result) {
    if (result) base::trace_uses("ingest", result->algorithms, "nar=" + result->nar_sha256.hex());
    const base::Lock lock(mutex_);
    progress_.add_file();
    if (!on_ingested_) return;
    caller_errors_.keep_of(
        [&] { on_ingested_(source, result ? result : located(source, result.error())); });
  }

  /// What the caller's function has thrown first.
  Result<void> told() const { return caller_errors_.first(); }

 private:
  static Result<IngestedNar> located(const IngestSource& source, Error error) {
    const std::string where = pipeline::label(source);
    if (error.context.find(where) != std::string::npos) return std::unexpected(std::move(error));
    return std::unexpected(std::move(error).within(where));
  }

  base::Mutex mutex_;
  pipeline::CallerErrors caller_errors_;
  const OnIngested& on_ingested_;
  pipeline::ProgressMeter& progress_;
};

std::uint64_t total_bytes(std::span<const IngestSource> sources) {
  std::uint64_t total = 0;
  for (const IngestSource& source : sources) {
    if (source.kind != IngestSource::Kind::nar_file) return 0;
    std::error_code absent;
    const auto size = std::filesystem::file_size(source.path, absent);
    if (!absent) total += size;
  }
  return total;
}

Result<void> ingest_all(Store& store, std::span<const IngestSource> sources,
                        const IngestOptions& options, const OnIngested& on_ingested,
                        const OnProgress& on_progress) {
  Store::Parts& parts = store.parts();
  if (parts.options.access != StoreAccess::write) {
    return base::fail(ErrorCode::invalid_argument, "the store is open for reading only");
  }
  CHUNKER_TRY(auto chunking, options.chunking.resolve());
  CHUNKER_TRY(auto hash, pipeline::ChunkHash::make(parts.options.hash, options.hash_cache));
  CHUNKER_TRY(const auto compression,
              pipeline::CompressionPlan::make(*parts.options.codecs,
                                              {options.strategy, options.min_ratio_threshold,
                                               options.max_compression_time_ms}));
  CHUNKER_TRY(auto normalizer, refs::ReferenceNormalizer::make_if_any(options.store_prefix));

  CHUNKER_TRY(const auto memory,
              pipeline::plan_ingest(
                  *parts.memory, {pipeline::thread_count(options.threads, options.quota),
                                  sources.size(), NarAwareChunker(chunking).bytes_kept_max(),
                                  options.strategy, options.deltas, parts.options.codecs.get()}));
  const unsigned threads = memory.threads;
  const auto cpu = pipeline::CpuUse::make_if_any(options.quota, threads);
  pipeline::ProgressMeter progress(on_progress, sources.size(), total_bytes(sources));
  Reporter reporter(on_ingested, progress);
  pipeline::Pool<pipeline::Slab> slabs;
  pipeline::NarHashes hashes(memory.hash_bytes_max);
  pipeline::PackagesUnderWay packages;  // Before the writer, which acknowledges until its end.
  store::StoreWriter writer(parts);
  tbb::enumerable_thread_specific<pipeline::FrameBuilder> builders([&] {
    return pipeline::FrameBuilder(parts, writer, pipeline::FrameCompressor(compression));
  });
  const IngestShared shared{parts,
                            writer,
                            std::move(hash),
                            std::move(chunking),
                            options.chunking.recipe,
                            std::move(normalizer),
                            options.deltas,
                            memory,
                            options.stop,
                            cpu.get(),
                            progress,
                            slabs,
                            hashes,
                            builders,
                            packages};

  pipeline::IngestQueue queue(sources);
  pipeline::ingest_nars(shared, queue, [&](std::size_t i) -> IngestOrder {
    const IngestSource& source = sources[i];
    return {&source, [&](const Result<IngestedNar>& result) { reporter.report(source, result); },
            [&queue, i] { queue.end(i); }};
  });
  CHUNKER_TRY_VOID(writer.finish());
  CHUNKER_TRY_VOID(reporter.told());
  CHUNKER_TRY_VOID(progress.told());
  if (options.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  return cpu != nullptr && cpu->stopped() ? cpu->check_limit() : Result<void>();
}

}  // namespace

Result<void> ingest(Store& store, std::span<const IngestSource> sources,
                    const IngestOptions& options, const OnIngested& on_ingested,
                    const OnProgress& on_progress) {
  return pipeline::within_quota(
      options.quota, [&] { return ingest_all(store, sources, options, on_ingested, on_progress); });
}

}  // namespace chunker
