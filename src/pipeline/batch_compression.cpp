#include "chunker/batch_compression.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "codec/builtin.hpp"
#include "pipeline/frame_compressor.hpp"
#include "pipeline/pool.hpp"
#include "pipeline/ratio_history.hpp"
#include "pipeline/workers.hpp"

namespace chunker {
namespace {

/// What all chunks of a batch are compressed with.
struct Methods {
  std::shared_ptr<const pipeline::CompressionPlan> plan{};
  std::optional<EncoderDictionary> dictionary{};  ///< For small ones, with `small_codec`.
  std::optional<CompressionCodec> small_codec{};
};

Result<Methods> methods_for(CompressionStrategy strategy, const BatchCompressionOptions& options) {
  const CompressionOptions how{strategy, options.min_ratio_threshold,
                               options.max_compression_time_ms};
  Methods methods;
  if (options.codec) {
    if (options.dictionary != nullptr) {
      return base::fail(ErrorCode::invalid_argument, "a dictionary has a codec of its own");
    }
    CHUNKER_TRY(methods.plan, pipeline::CompressionPlan::make_for(*options.codec, how));
    return methods;
  }
  CHUNKER_TRY(methods.plan, pipeline::CompressionPlan::make(*options.codecs, how));
  if (options.dictionary == nullptr) return methods;
  CHUNKER_TRY(methods.small_codec, options.codecs->for_strategy(strategy));
  if (methods.small_codec->id() != CodecId::zstd) {
    return base::fail(ErrorCode::invalid_argument, "only zstd compresses with a dictionary");
  }
  const int level =
      strategy == CompressionStrategy::smallest ? codec::kZstdLevelSmallest : codec::kZstdLevel;
  methods.dictionary = options.dictionary->encoder;
  if (methods.dictionary->level() != level) {
    CHUNKER_TRY(methods.dictionary, EncoderDictionary::make(options.dictionary->bytes, level));
  }
  return methods;
}

}  // namespace

struct BatchCompressor::State {
  pipeline::Pool<pipeline::FrameCompressor> compressors;
  pipeline::RatioHistory history;

  Result<CompressedChunk> compress(Bytes raw, const Methods& methods) {
    return pipeline::catching([&] {
      auto compressor = compressors.take();
      compressor->follow(methods.plan);
      auto compressed = compress(raw, methods, *compressor);
      compressors.give(std::move(compressor));
      return compressed;
    });
  }

 private:
  Result<CompressedChunk> compress(Bytes raw, const Methods& methods,
                                   pipeline::FrameCompressor& compressor) {
    const bool small = methods.dictionary && raw.size() <= kDictionaryPaysBytesMax;
    const CompressionCodec* codec = small ? &*methods.small_codec : compressor.choose(raw);
    if (codec == nullptr) return as_it_is(raw);
    CompressedChunk chunk{.raw_bytes = raw.size(), .payload = {}};
    if (small) chunk.dictionary = methods.dictionary->id();
    const AlgorithmInfo chosen = codec->info();
    base::warn_if_deprecated(chosen);
    chunk.payload.reserve(history.expected_bytes(chosen, chunk.dictionary, raw.size()));
    const std::size_t expected = chunk.payload.capacity();
    if (small) {
      CHUNKER_TRY_VOID(methods.dictionary->compress(raw, compressor.scratch(), chunk.payload));
    } else {
      CHUNKER_TRY(codec, compressor.compress_by(*codec, raw, chunk.payload));
    }
    if (codec == nullptr) return as_it_is(raw);
    history.add(codec->info(), chunk.dictionary, raw.size(), chunk.payload.size(),
                expected != 0 && chunk.payload.capacity() != expected);
    if (methods.plan->gains_too_little(chunk.payload.size(), raw)) return as_it_is(raw);
    chunk.codec = codec->id();
    return chunk;
  }

  static CompressedChunk as_it_is(Bytes raw) {
    return {.raw_bytes = raw.size(), .payload = ByteBuffer(raw)};
  }
};

struct CompressionStream::State {
  static constexpr Threads kThreads = Threads::shared;

  State(std::shared_ptr<BatchCompressor::State> by, std::span<const Bytes> all, Methods with,
        BatchCompressionOptions how)
      : compressor(std::move(by)),
        chunks(all.begin(), all.end()),
        methods(std::move(with)),
        options(std::move(how)),
        results(chunks.size()) {}

  const std::shared_ptr<BatchCompressor::State> compressor;
  const std::vector<Bytes> chunks;
  const Methods methods;
  const BatchCompressionOptions options;
  base::Mutex mutex;
  base::Condition changed;
  std::vector<std::optional<Result<CompressedChunk>>> results CHUNKER_GUARDED_BY(mutex);
  std::size_t taken_count CHUNKER_GUARDED_BY(mutex) = 0;
  bool stopping CHUNKER_GUARDED_BY(mutex) = false;
  bool is_running CHUNKER_GUARDED_BY(mutex) = false;
  std::jthread driver;

  void start() {
    {
      const base::Lock lock(mutex);
      is_running = true;
    }
    driver = std::jthread([this] { run(); });
  }

  void run() {
    // What the workers leave undone for want of threads or memory, next() does itself.
    std::ignore = pipeline::catching([this]() -> Result<void> {
      pipeline::for_each_in_order(pipeline::thread_count(options.threads), chunks.size(), *this,
                                  [](State& state, std::size_t i) { state.work(i); });
      return {};
    });
    const base::Lock lock(mutex);
    is_running = false;
    changed.notify_all();
  }

  void work(std::size_t i) {
    if (!has_room_for(i)) return;
    auto compressed = compress(i);
    const base::Lock lock(mutex);
    results[i] = std::move(compressed);
    changed.notify_all();
  }

  /// Waits until the consumer is near; false if nobody will take results any more.
  bool has_room_for(std::size_t i) {
    const base::Lock lock(mutex);
    const std::size_t ahead_max = std::max<std::size_t>(1, options.results_max);
    while (i >= taken_count + ahead_max && !stopping) changed.wait(mutex);
    return !stopping;
  }

  Result<CompressedChunk> compress(std::size_t i) {
    if (options.stop.stop_requested()) {
      return base::fail(ErrorCode::cancelled, "stopped on request");
    }
    return compressor->compress(chunks[i], methods);
  }

  std::optional<Result<CompressedChunk>> take(std::size_t i) {
    const base::Lock lock(mutex);
    while (!results[i] && is_running) changed.wait(mutex);
    ++taken_count;
    changed.notify_all();
    return std::exchange(results[i], std::nullopt);
  }

  std::size_t next_index() {
    const base::Lock lock(mutex);
    return taken_count;
  }
};

CompressionStream::CompressionStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
CompressionStream::CompressionStream(CompressionStream&&) noexcept = default;

CompressionStream& CompressionStream::operator=(CompressionStream&& other) noexcept {
  CompressionStream old(std::move(*this));  // Stops and joins what was running here.
  state_ = std::move(other.state_);
  return *this;
}

CompressionStream::~CompressionStream() {
  if (!state_) return;
  const base::Lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
}

std::optional<Result<CompressedChunk>> CompressionStream::next() {
  const std::size_t i = state_->next_index();
  if (i == state_->chunks.size()) return std::nullopt;
  if (auto done = state_->take(i)) return done;
  return state_->compress(i);
}

BatchCompressor::BatchCompressor() : state_(std::make_shared<State>()) {}

Result<CompressionStream> BatchCompressor::compress(std::span<const Bytes> chunks,
                                                    CompressionStrategy strategy,
                                                    BatchCompressionOptions options) const {
  return pipeline::catching([&]() -> Result<CompressionStream> {
    CHUNKER_TRY(Methods methods, methods_for(strategy, options));
    auto state = std::make_unique<CompressionStream::State>(state_, chunks, std::move(methods),
                                                            std::move(options));
    if (chunks.size() > state->options.parallel_threshold) state->start();
    return CompressionStream(std::move(state));
  });
}

std::vector<CodecStats> BatchCompressor::stats() const { return state_->history.stats(); }

Result<CompressionStream> batch_compress(std::span<const Bytes> chunks,
                                         CompressionStrategy strategy,
                                         BatchCompressionOptions options) {
  return BatchCompressor().compress(chunks, strategy, std::move(options));
}

Result<void> decompress_chunk(const CompressedChunk& chunk, const CodecRegistry& codecs,
                              DictionaryCache& dictionaries, CompressionScratch& scratch,
                              ByteBuffer& output) {
  const std::size_t start = output.size();
  if (chunk.dictionary == DictionaryId::none) {
    CHUNKER_TRY(const CompressionCodec codec, codecs.by_id(chunk.codec));
    CHUNKER_TRY_VOID(codec.decompress(chunk.payload, chunk.raw_bytes, scratch, output));
  } else {
    CHUNKER_TRY(const auto dictionary, dictionaries.find(chunk.dictionary));
    CHUNKER_TRY_VOID(
        dictionary->decoder.decompress(chunk.payload, chunk.raw_bytes, scratch, output));
  }
  if (output.size() - start == chunk.raw_bytes) return {};
  output.resize(start);
  return base::fail(ErrorCode::codec_corrupt, "the chunk decodes to another number of bytes");
}

}  // namespace chunker
