#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "chunker/algorithm.hpp"
#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/dictionary.hpp"
#include "chunker/dictionary_cache.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct BatchCompressionOptions {
  std::shared_ptr<const CodecRegistry> codecs = CodecRegistry::builtin();
  /// Instead of the strategy's own codec, and whatever the content: else what is compressed already is kept as it is
  /// (R15.5).
  std::optional<CompressionCodec> codec{};
  /// For small chunks, where the strategy is one of zstd; larger ones gain nothing by it. One for all threads (R7.2).
  std::shared_ptr<const Dictionary> dictionary{};
  /// What compresses to more than this share of itself is kept as it is; 0 to 1 (R15.6).
  double min_ratio_threshold = kMinRatioThreshold;
  /// A chunk that would take longer is compressed by a faster codec of the strategy, or not at all; 0 is without end
  /// (R15.7). Time is what a thread computes. Small chunks with the dictionary are not counted.
  std::uint32_t max_compression_time_ms = 0;
  /// More chunks than this are compressed side by side, fewer on the thread that asks for them (R7.6).
  std::size_t parallel_threshold = 8;
  unsigned threads = 0;          ///< 0 means one per available processor.
  std::size_t results_max = 64;  ///< Results that wait for the consumer, at most.
  std::stop_token stop{};        ///< What is not begun by then ends as cancelled.
};

template <>
inline constexpr Threads threads_of<BatchCompressionOptions> = Threads::shared;

/// Chunks up to this size are compressed with the dictionary, if there is one: beyond it nothing is gained
/// (bench/RESULTS.md, "Dictionaries").
inline constexpr std::size_t kDictionaryPaysBytesMax = std::size_t{64} << 10;

/// A chunk as compressed, and what decodes it.
/// Owns:    its payload.
/// Threads: movable.
/// Errors:  none.
/// Cost:    the payload.
struct CompressedChunk {
  CodecId codec = CodecId::none;  ///< none where compressing gains too little or takes too long.
  DictionaryId dictionary = DictionaryId::none;  ///< R4.6
  std::uint64_t raw_bytes = 0;
  ByteBuffer payload;
};

template <>
inline constexpr Threads threads_of<CompressedChunk> = Threads::movable;

/// Appends what a compressed chunk holds.
/// Errors: those of the codec; codec_unavailable and dictionary_unavailable for what is not there.
[[nodiscard]] Result<void> decompress_chunk(const CompressedChunk& chunk,
                                            const CodecRegistry& codecs,
                                            DictionaryCache& dictionaries,
                                            CompressionScratch& scratch, ByteBuffer& output);

/// Compressed chunks of a batch, in the order of the chunks. Workers wait when `results_max` are not taken yet;
/// destroying the stream stops and joins them.
/// Owns:    its worker threads and untaken results; it borrows the chunks' bytes while it lives.
/// Threads: movable.
/// Errors:  each in its own result (R7.5); the stream itself has none.
/// Cost:    a codec context per thread, which the compressor keeps.
class CompressionStream {
 public:
  CompressionStream(CompressionStream&&) noexcept;
  CompressionStream& operator=(CompressionStream&&) noexcept;
  ~CompressionStream();

  /// The next chunk's result; nothing after the last one.
  [[nodiscard]] std::optional<Result<CompressedChunk>> next();

 private:
  friend class BatchCompressor;
  struct State;
  explicit CompressionStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<CompressionStream> = Threads::movable;

/// What one codec has done so far.
struct CodecStats {
  AlgorithmInfo algorithm;
  std::uint64_t chunks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t outputs_regrown =
      0;  ///< Outputs that did not fit the buffer that history had promised.
};

template <>
inline constexpr Threads threads_of<CodecStats> = Threads::shared;

/// Compresses batch after batch, and keeps between them what makes the next one cheaper: a scratch per thread
/// (R7.3), and which ratios chunks of each size had (R7.4).
/// Owns:    the scratches and the history.
/// Threads: shared.
/// Errors:  invalid_argument for a dictionary without zstd and for a threshold that is no share, codec_unavailable,
///          codec_failed for a registered codec that does not work; no chunk is begun then.
/// Cost:    about 1.3 MB per thread at zstd level 3.
class BatchCompressor {
 public:
  BatchCompressor();

  [[nodiscard]] Result<CompressionStream> compress(std::span<const Bytes> chunks,
                                                   CompressionStrategy strategy,
                                                   BatchCompressionOptions options = {}) const;
  /// One entry for each codec that was ever used, as its name ascends.
  [[nodiscard]] std::vector<CodecStats> stats() const;

 private:
  friend class CompressionStream;
  struct State;
  std::shared_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<BatchCompressor> = Threads::shared;

/// One batch by itself (R7.1).
[[nodiscard]] Result<CompressionStream> batch_compress(std::span<const Bytes> chunks,
                                                       CompressionStrategy strategy,
                                                       BatchCompressionOptions options = {});

}  // namespace chunker
