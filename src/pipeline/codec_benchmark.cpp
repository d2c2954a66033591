#include <algorithm>
#include <chrono>
#include <stop_token>
#include <vector>

#include "base/catching.hpp"
#include "base/try.hpp"
#include "chunker/benchmark.hpp"
#include "pipeline/frame_compressor.hpp"

namespace chunker {
namespace {

using Seconds = std::chrono::duration<double>;
/// Appends what becomes of the content and says by which codec.
using Compress = std::function<Result<CodecId>(Bytes, CompressionScratch&, ByteBuffer&)>;

double mb_per_second(std::uint64_t bytes, double seconds) noexcept {
  return seconds > 0 ? static_cast<double>(bytes) / 1e6 / seconds : 0;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Adds what `work` takes to `total`.
template <class Work>
auto timed(double& total, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = work();
  total += Seconds(std::chrono::steady_clock::now() - begin).count();
  return result;
}

class Meter {
 public:
  Meter(std::span<const Bytes> contents, const CodecBenchmark& benchmark)
      : contents_(contents),
        codecs_(*benchmark.codecs),
        runs_(std::max(1U, benchmark.runs)),
        stop_(benchmark.stop) {}

  Result<CodecFigures> measure(std::string name, bool is_strategy, const Compress& compress) {
    CodecFigures figures{.name = std::move(name), .is_strategy = is_strategy};
    std::vector<double> compressing, decompressing;
    for (unsigned run = 0; run < runs_; ++run) {
      figures.raw_bytes = figures.stored_bytes = 0;
      compressing.push_back(0);
      decompressing.push_back(0);
      for (const Bytes content : contents_) {
        if (stop_.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
        auto done = measure(content, compress, compressing.back(), decompressing.back());
        if (!done) return std::unexpected(std::move(done).error().within(figures.name));
        figures.raw_bytes += content.size();
        figures.stored_bytes += *done;
      }
    }
    figures.compress_seconds = median(std::move(compressing));
    figures.decompress_seconds = median(std::move(decompressing));
    return figures;
  }

 private:
  /// What one content takes when it is compressed.
  Result<std::uint64_t> measure(Bytes content, const Compress& compress, double& compressing,
                                double& decompressing) {
    frame_.clear();
    back_.clear();
    CHUNKER_TRY(const CodecId id,
                timed(compressing, [&] { return compress(content, scratch_, frame_); }));
    CHUNKER_TRY(const CompressionCodec codec, codecs_.by_id(id));
    CHUNKER_TRY_VOID(timed(
        decompressing, [&] { return codec.decompress(frame_, content.size(), scratch_, back_); }));
    if (!std::ranges::equal(Bytes(back_), content)) {
      return base::fail(ErrorCode::codec_failed, "the codec does not give back what it was given");
    }
    return frame_.size();
  }

  std::span<const Bytes> contents_;
  const CodecRegistry& codecs_;
  unsigned runs_;
  std::stop_token stop_;
  CompressionScratch scratch_;
  ByteBuffer frame_, back_;
};

Result<CodecFigures> measure_codec(Meter& meter, const CompressionCodec& codec) {
  return meter.measure(
      std::string(codec.name()), false,
      [&](Bytes content, CompressionScratch& scratch, ByteBuffer& frame) -> Result<CodecId> {
        CHUNKER_TRY_VOID(codec.compress(content, scratch, frame));
        return codec.id();
      });
}

Result<CodecFigures> measure_strategy(Meter& meter, const CodecRegistry& codecs,
                                      CompressionStrategy strategy) {
  CHUNKER_TRY(auto plan, pipeline::CompressionPlan::make(codecs, {.strategy = strategy}));
  pipeline::FrameCompressor compressor(std::move(plan));
  return meter.measure(std::string(name(strategy)), true,
                       [&](Bytes content, CompressionScratch&, ByteBuffer& frame) {
                         return compressor.compress(content, frame);
                       });
}

Result<void> benchmark_all(std::span<const Bytes> contents, const CodecBenchmark& benchmark) {
  const CodecRegistry& codecs = *benchmark.codecs;
  Meter meter(contents, benchmark);
  for (const CompressionCodec& codec : codecs.codecs()) {
    CHUNKER_TRY(const CodecFigures figures, measure_codec(meter, codec));
    if (benchmark.on_figures && !benchmark.on_figures(figures)) return {};
  }
  for (const CompressionStrategy strategy : kCompressionStrategies) {
    auto figures = measure_strategy(meter, codecs, strategy);
    if (!figures && figures.error().code == ErrorCode::codec_unavailable) continue;
    if (!figures) return std::unexpected(std::move(figures).error());
    if (benchmark.on_figures && !benchmark.on_figures(*figures)) return {};
  }
  return {};
}

}  // namespace

double CodecFigures::ratio() const noexcept {
  return stored_bytes == 0 ? 0 : static_cast<double>(raw_bytes) / static_cast<double>(stored_bytes);
}

double CodecFigures::compress_mb_per_second() const noexcept {
  return mb_per_second(raw_bytes, compress_seconds);
}

double CodecFigures::decompress_mb_per_second() const noexcept {
  return mb_per_second(raw_bytes, decompress_seconds);
}

Result<void> benchmark_codecs(std::span<const Bytes> contents, const CodecBenchmark& benchmark) {
  return base::catching([&] { return benchmark_all(contents, benchmark); });
}

}  // namespace chunker
