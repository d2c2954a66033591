#include "chunker/ingest.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "delta/package_name.hpp"
#include "pipeline/nar_ingest.hpp"
#include "pipeline/workers.hpp"
#include "store/parts.hpp"
#include "store/writer.hpp"

// The way in (ARCHITECTURE.md, "The life of one chunk"): read, references taken out, cut, hash, known?, delta or
// compress, pack, manifest, durable, acknowledged. Each NAR's stages are in nar_ingest.cpp; here many NARs run side by
// side.
namespace chunker {
namespace {

using pipeline::IngestShared;

constexpr std::size_t kNameBytesMax = store::kNameBytesMax;

/// Reports each source once, from one thread at a time.
class Reporter {
 public:
  Reporter(const OnIngested& on_ingested, pipeline::ProgressMeter& progress)
      : on_ingested_(on_ingested), progress_(progress) {}

  void report(const IngestSource& source, const Result<IngestedNar>& result) {
    const base::Lock lock(mutex_);
    progress_.add_file();
    if (!on_ingested_) return;
    auto told = pipeline::catching([&]() -> Result<void> {
      on_ingested_(source, result ? result : located(source, result.error()));
      return {};
    });
    if (!told && told_) told_ = std::move(told);
  }

  /// The error that the caller's function has thrown first: many threads call it, and the caller's is seldom among
  /// them (R25.4).
  Result<void> told() {
    const base::Lock lock(mutex_);
    return told_;
  }

 private:
  static Result<IngestedNar> located(const IngestSource& source, Error error) {
    const std::string where = pipeline::label(source);
    if (error.context.find(where) != std::string::npos) return std::unexpected(std::move(error));
    return std::unexpected(std::move(error).within(where));
  }

  base::Mutex mutex_;
  Result<void> told_ CHUNKER_GUARDED_BY(mutex_);
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

Result<void> ingest_source(const IngestShared& shared, const IngestSource& source,
                           Reporter& reporter) {
  if (shared.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (shared.cpu != nullptr) CHUNKER_TRY_VOID(shared.cpu->check_limit());
  if (source.name.size() > kNameBytesMax || source.name.find('\0') != std::string::npos) {
    return base::fail(ErrorCode::invalid_argument, "a name has 1 to 4096 bytes and no NUL");
  }
  CHUNKER_TRY_VOID(pipeline::catching([&] {
    return pipeline::ingest_nar(shared, source,
                                [&reporter, &source](const Result<IngestedNar>& result) {
                                  reporter.report(source, result);
                                });
  }));
  if (shared.cpu != nullptr) shared.cpu->finish_one();
  return {};
}

/// The first version of every package, then every second one, and so on: a delta needs a base that is durable,
/// and by the time its turn comes that has happened by itself.
std::vector<std::size_t> versions_apart(std::span<const IngestSource> sources) {
  std::unordered_map<std::string, std::size_t> counts;
  std::vector<std::pair<std::size_t, std::size_t>> rounds;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string package = delta::package_name(pipeline::name_of(sources[i]));
    rounds.emplace_back(package.empty() ? 0 : counts[package]++, i);
  }
  std::ranges::sort(rounds);
  std::vector<std::size_t> order;
  for (const auto& [round, i] : rounds) order.push_back(i);
  return order;
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

  const unsigned threads = pipeline::thread_count(options.threads, options.quota);
  const auto cpu = pipeline::CpuUse::make_if_any(options.quota, threads);
  pipeline::ProgressMeter progress(on_progress, sources.size(), total_bytes(sources));
  Reporter reporter(on_ingested, progress);
  pipeline::Pool<pipeline::Slab> slabs;
  pipeline::NarHashes hashes;
  pipeline::PackagesUnderWay under_way;  // Before the writer, which acknowledges until its end.
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
                            threads,
                            options.stop,
                            cpu.get(),
                            progress,
                            slabs,
                            hashes,
                            builders,
                            under_way};

  const auto order = versions_apart(sources);
  const auto ingest_one = [&](std::size_t i) {
    const IngestSource& source = sources[order[i]];
    auto staged = ingest_source(shared, source, reporter);
    if (!staged) reporter.report(source, std::unexpected(std::move(staged).error()));
  };
  pipeline::for_each_in_order(threads, sources.size(), ingest_one, cpu.get());
  CHUNKER_TRY_VOID(writer.finish());
  CHUNKER_TRY_VOID(reporter.told());
  if (options.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  return cpu != nullptr && cpu->stopped() ? cpu->check_limit() : Result<void>();
}

}  // namespace

Result<void> ingest(Store& store, std::span<const IngestSource> sources,
                    const IngestOptions& options, const OnIngested& on_ingested,
                    const OnProgress& on_progress) {
  const auto ingest_them = [&] {
    return pipeline::catching(
        [&] { return ingest_all(store, sources, options, on_ingested, on_progress); });
  };
  CHUNKER_TRY_VOID(options.quota.validate());
  return pipeline::catching(
      [&] { return pipeline::at_nice_level(options.quota.nice_level, ingest_them); });
}

}  // namespace chunker
