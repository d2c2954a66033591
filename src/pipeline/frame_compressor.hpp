#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/content_type.hpp"
#include "chunker/error.hpp"
#include "pipeline/codec_chooser.hpp"
#include "pipeline/timed_compression.hpp"

namespace chunker::pipeline {

/// What decides how frames are compressed; chunker/ingest.hpp says what it means.
struct CompressionPlan {
  CodecChooser chooser;
  double min_ratio_threshold;
  std::chrono::milliseconds time_max;  ///< 0 is without end.
  Clock now;

  /// Errors: codec_unavailable; codec_failed for one that does not work; invalid_argument for a threshold that is
  /// not from 0 to 1.
  [[nodiscard]] static Result<std::shared_ptr<const CompressionPlan>> make(
      const CodecRegistry& registry, const CompressionOptions& options, Clock now = thread_time);

  /// What the calling thread has computed: other work on the machine makes no chunk late.
  [[nodiscard]] static std::chrono::nanoseconds thread_time() noexcept;
};

/// Chooses a codec for the content of a frame and compresses it.
/// Owns:    its codec contexts; a share of the plan.
/// Threads: movable; one per worker.
/// Errors:  codec_failed.
/// Cost:    that of the codec; 4 us to see that content is compressed already.
class FrameCompressor {
 public:
  explicit FrameCompressor(std::shared_ptr<const CompressionPlan> plan) : plan_(std::move(plan)) {}

  /// Whether `raw` is worth any work: false for what is compressed, or encrypted, already (R15.5, R16.2). Then
  /// 0.2 ms for a MiB went into making sure.
  [[nodiscard]] bool worth_trying(Bytes raw);

  /// Appends what `raw` becomes to `payload` and says by which codec: by none if compressing gains too little.
  [[nodiscard]] Result<CodecId> compress(Bytes raw, ByteBuffer& payload);

 private:
  [[nodiscard]] bool is_compressed_already(Bytes raw, const ContentProfile& profile);
  [[nodiscard]] Result<CodecId> compress_as_planned(Bytes raw, const ContentProfile& profile,
                                                    ByteBuffer& payload);
  [[nodiscard]] Result<CodecId> compress_in_time(Bytes raw, const ContentProfile& profile,
                                                 ByteBuffer& payload);

  std::shared_ptr<const CompressionPlan> plan_;
  CompressionScratch scratch_;
  ByteBuffer tried_;
  CodecPaces paces_;
};

}  // namespace chunker::pipeline
