#include "chunker/batch.hpp"

#include <tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <iterator>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/input.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/workers.hpp"

namespace chunker {
namespace {

/// Read at once; also what is left over of a file at most, beside one chunk.
constexpr std::size_t kReadBytes = 1 << 20;

/// Cuts and hashes one file. The buffer is the worker's, kept from file to file (R6.4).
Result<FileChunks> chunk_file(const std::filesystem::path& path,
                              const std::shared_ptr<const ResolvedOptions>& options,
                              const BatchOptions& batch, ByteBuffer& buffer,
                              pipeline::ProgressMeter& progress) {
  CHUNKER_TRY(auto input, pipeline::open_input(
                              {IngestSource::Kind::nar_file, path, -1, std::string()}, batch.stop));
  NarAwareChunker chunker(options);
  FileChunks file;
  file.path = path;
  buffer.clear();
  std::uint64_t buffer_offset = 0;
  for (bool ended = false; !ended;) {
    if (batch.stop.stop_requested()) {
      return base::fail(ErrorCode::cancelled, "stopped on request");
    }
    const std::size_t old_size = buffer.size();
    buffer.resize(old_size + kReadBytes);
    CHUNKER_TRY(const std::size_t count, input->read(buffer.span().subspan(old_size)));
    buffer.resize(old_size + count);
    ended = count < kReadBytes;
    const std::size_t known = file.extents.size();
    CHUNKER_TRY_VOID(chunker.feed(buffer.view().subspan(old_size), file.extents));
    if (ended) CHUNKER_TRY_VOID(chunker.finish(file.extents));
    std::vector<Bytes> chunks;
    for (std::size_t i = known; i < file.extents.size(); ++i) {
      const ChunkExtent& chunk = file.extents[i];
      chunks.push_back(
          buffer.view().subspan(static_cast<std::size_t>(chunk.offset_bytes - buffer_offset),
                                static_cast<std::size_t>(chunk.size_bytes)));
    }
    file.digests.resize(file.extents.size());
    batch.hash.hash_many(chunks, std::span(file.digests).subspan(known));
    if (batch.profile_contents) {
      std::ranges::transform(chunks, std::back_inserter(file.profiles), profile_content);
    }
    if (file.extents.size() > known) {
      const std::uint64_t end = file.extents.back().offset_bytes + file.extents.back().size_bytes;
      const Bytes rest = buffer.view().subspan(static_cast<std::size_t>(end - buffer_offset));
      std::memmove(buffer.data(), rest.data(), rest.size());
      buffer.resize(rest.size());
      buffer_offset = end;
    }
    file.bytes += count;
    progress.add_bytes(count);
  }
  file.is_nar = chunker.is_nar();
  file.entries = std::move(chunker.entries());
  return file;
}

}  // namespace

struct BatchStream::State {
  State(std::vector<std::filesystem::path> files, std::shared_ptr<const ResolvedOptions> resolved,
        BatchOptions batch_options)
      : paths(std::move(files)),
        options(std::move(resolved)),
        batch(std::move(batch_options)),
        progress({}, paths.size(), 0) {}

  const std::vector<std::filesystem::path> paths;
  const std::shared_ptr<const ResolvedOptions> options;
  const BatchOptions batch;
  pipeline::ProgressMeter progress;
  base::Mutex mutex;
  base::Condition changed;
  std::deque<BatchResult> results CHUNKER_GUARDED_BY(mutex);
  bool stopping CHUNKER_GUARDED_BY(mutex) = false;
  bool ended CHUNKER_GUARDED_BY(mutex) = false;              ///< No more results will come.
  std::optional<Error> failure CHUNKER_GUARDED_BY(mutex){};  ///< What kept them from coming.
  tbb::enumerable_thread_specific<ByteBuffer> buffers;
  std::unordered_set<Digest>
      given_out;  ///< Only next() knows it, so what it says holds in that order.
  std::jthread driver;

  void run() {
    auto done = pipeline::catching([this]() -> Result<void> {
      pipeline::for_each_in_order(pipeline::thread_count(batch.threads), paths.size(),
                                  [this](std::size_t i) { work(paths[i]); });
      return {};
    });
    const base::Lock lock(mutex);
    ended = true;
    if (!done) failure = std::move(done).error();
    changed.notify_all();
  }

  void work(const std::filesystem::path& path) {
    {
      const base::Lock lock(mutex);
      if (stopping) return;
    }
    auto chunks = pipeline::catching(
        [&] { return chunk_file(path, options, batch, buffers.local(), progress); });
    if (!chunks && chunks.error().context.find(path.string()) == std::string::npos) {
      chunks = std::unexpected(std::move(chunks).error().within(path.string()));
    }
    deliver({path, std::move(chunks)});
  }

  std::optional<BatchResult> take() {
    const base::Lock lock(mutex);
    while (results.empty() && !ended) changed.wait(mutex);
    if (results.empty()) {
      if (!failure) return std::nullopt;
      return BatchResult{{}, std::unexpected(*std::exchange(failure, std::nullopt))};
    }
    BatchResult result = std::move(results.front());
    results.pop_front();
    changed.notify_all();
    return result;
  }

  void mark_repeats(FileChunks& file) {
    for (const Digest& digest : file.digests) {
      file.repeats.push_back(!given_out.insert(digest).second);
    }
  }

  /// Waits for room, unless nobody will take results any more.
  void deliver(BatchResult result) {
    const base::Lock lock(mutex);
    while (results.size() >= std::max<std::size_t>(1, batch.results_max) && !stopping) {
      changed.wait(mutex);
    }
    results.push_back(std::move(result));
    progress.add_file();
    changed.notify_all();
  }
};

BatchStream::BatchStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
BatchStream::BatchStream(BatchStream&&) noexcept = default;

BatchStream& BatchStream::operator=(BatchStream&& other) noexcept {
  BatchStream old(std::move(*this));  // Stops and joins what was running here.
  state_ = std::move(other.state_);
  return *this;
}

BatchStream::~BatchStream() {
  if (!state_) return;
  {
    const base::Lock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->driver.join();
}

std::optional<BatchResult> BatchStream::next() {
  auto result = state_->take();
  if (result && result->chunks && state_->batch.deduplicate) state_->mark_repeats(*result->chunks);
  return result;
}

Progress BatchStream::progress() const { return state_->progress.now(); }

Result<BatchStream> batch_chunk_files(std::vector<std::filesystem::path> paths,
                                      const ChunkingOptions& options, BatchOptions batch) {
  CHUNKER_TRY(auto resolved, options.resolve());
  return pipeline::catching([&]() -> Result<BatchStream> {
    base::warn_if_deprecated(batch.hash.info());
    auto state = std::make_unique<BatchStream::State>(std::move(paths), std::move(resolved),
                                                      std::move(batch));
    state->driver = std::jthread([running = state.get()] { running->run(); });
    return BatchStream(std::move(state));
  });
}

}  // namespace chunker
