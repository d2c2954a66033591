#include "chunker/batch.hpp"

#include <tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/file_chunks.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/workers.hpp"

namespace chunker {

struct BatchStream::State {
  static constexpr Threads kThreads = Threads::shared;

  State(std::vector<std::filesystem::path> files, pipeline::FileCut file_cut,
        BatchOptions batch_options)
      : paths(std::move(files)),
        cut(std::move(file_cut)),
        batch(std::move(batch_options)),
        progress({}, paths.size(), 0) {}

  const std::vector<std::filesystem::path> paths;
  const pipeline::FileCut cut;
  const BatchOptions batch;
  const unsigned threads = cut.memory.threads;
  pipeline::ProgressMeter progress;
  std::atomic<std::size_t> begun{0};
  std::atomic<std::size_t> running{0};
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
    if (batch.quota.nice_level != 0) resource::lower_thread_priority(batch.quota.nice_level);
    auto done = pipeline::catching([this]() -> Result<void> {
      pipeline::for_each_in_order(
          threads, paths.size(), *this,
          [](State& state, std::size_t i) { state.work(state.paths[i]); }, cut.cpu.get());
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
    ++running;
    ++begun;
    auto chunks = pipeline::catching([&]() -> Result<FileChunks> {
      if (cut.cpu != nullptr) CHUNKER_TRY_VOID(cut.cpu->check_limit());
      return pipeline::chunk_file(path, cut, buffers.local(), progress,
                                  [this] { return threads_to_spare(); });
    });
    --running;
    if (chunks && cut.cpu != nullptr) cut.cpu->finish_one();
    if (!chunks && chunks.error().context.find(path.string()) == std::string::npos) {
      chunks = std::unexpected(std::move(chunks).error().within(path.string()));
    }
    deliver({path, std::move(chunks)});
  }

  /// Once no file is left to begin, those that are running share the threads.
  unsigned threads_to_spare() const {
    if (begun < paths.size()) return 1;
    return threads / static_cast<unsigned>(std::max<std::size_t>(1, running));
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
  return pipeline::catching([&]() -> Result<BatchStream> {
    CHUNKER_TRY(auto cut, pipeline::FileCut::make(options, batch));
    base::warn_if_deprecated(batch.hash.info());
    auto state =
        std::make_unique<BatchStream::State>(std::move(paths), std::move(cut), std::move(batch));
    state->driver = std::jthread([running = state.get()] { running->run(); });
    return BatchStream(std::move(state));
  });
}

}  // namespace chunker
