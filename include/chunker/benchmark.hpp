#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// What a codec or a strategy made of some contents.
struct CodecFigures {
  std::string name;
  bool is_strategy = false;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  double compress_seconds = 0;  ///< Medians over the runs.
  double decompress_seconds = 0;

  [[nodiscard]] double ratio() const noexcept;
  /// Bytes of content per second, in MB (10^6).
  [[nodiscard]] double compress_mb_per_second() const noexcept;
  [[nodiscard]] double decompress_mb_per_second() const noexcept;
};

template <>
inline constexpr Threads threads_of<CodecFigures> = Threads::shared;

struct CodecBenchmark {
  std::shared_ptr<const CodecRegistry> codecs = CodecRegistry::builtin();
  unsigned runs = 3;       ///< Each is over all contents; at least 1.
  std::stop_token stop{};  ///< Asked before each content.
  /// Called after each codec and strategy with its figures; false ends the benchmark.
  std::function<bool(const CodecFigures&)> on_figures;
};

template <>
inline constexpr Threads threads_of<CodecBenchmark> = Threads::movable;

/// Compresses and decompresses the same contents by every registered codec and by every strategy, on the calling
/// thread, so that the figures can be compared (R22.4). Codecs compress everything; strategies store as it is what
/// does not become smaller, as ingest does. A strategy whose codec is not registered is left out.
/// Errors:  codec_failed for one that does not give back what it was given, named in the context; cancelled.
/// Cost:    that of the codecs, `runs` times: xz does 3 MB/s. One content's size twice, in memory.
[[nodiscard]] Result<void> benchmark_codecs(std::span<const Bytes> contents,
                                            const CodecBenchmark& benchmark);

}  // namespace chunker
