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
  bool takes_all;  ///< The codec is the caller's choice, whatever the content looks like.

  /// Errors: those of check(); codec_failed for a codec that does not work.
  [[nodiscard]] static Result<std::shared_ptr<const CompressionPlan>> make(
      const CodecRegistry& registry, const CompressionOptions& options, Clock now = thread_time);
  /// Everything by `codec`, whatever the options' strategy. Errors: invalid_argument, as check().
  [[nodiscard]] static Result<std::shared_ptr<const CompressionPlan>> make_for(
      CompressionCodec codec, const CompressionOptions& options, Clock now = thread_time);
  /// Whether there can be such a plan. Errors: codec_unavailable; invalid_argument for a threshold that is not
  /// from 0 to 1.
  [[nodiscard]] static Result<void> check(const CodecRegistry& registry,
                                          const CompressionOptions& options);

  /// Whether so much is left of `raw` that it is better stored as it is.
  [[nodiscard]] bool gains_too_little(std::size_t compressed_bytes, Bytes raw) const noexcept;
  /// What the calling thread has computed: other work on the machine makes no chunk late.
  [[nodiscard]] static std::chrono::nanoseconds thread_time() noexcept;
};

/// Chooses a codec for the content of a frame and compresses it.
/// Owns:    its codec contexts; a share of the plan.
/// Threads: movable; one per worker.
/// Errors:  codec_failed.
/// Cost:    that of the codec. To see that content is compressed already takes 4 us a frame, and where it seems so
///          0.2 ms for a MiB to make sure.
class FrameCompressor {
 public:
  /// It needs a plan before anything else.
  FrameCompressor() = default;
  explicit FrameCompressor(std::shared_ptr<const CompressionPlan> plan) : plan_(std::move(plan)) {}

  /// Goes on with another plan and the same contexts.
  void follow(const std::shared_ptr<const CompressionPlan>& plan);

  /// The codec for `raw`, valid as long as the plan; null for what is compressed, or encrypted, already (R15.5,
  /// R16.2). The time that the plan allows begins.
  [[nodiscard]] const CompressionCodec* choose(Bytes raw);
  /// Appends what `chosen` makes of `raw`, or a faster codec if that takes too long, and gives the one that did it;
  /// null if all take too long, with `payload` as it was. Follows a choose().
  [[nodiscard]] Result<const CompressionCodec*> compress_by(const CompressionCodec& chosen,
                                                            Bytes raw, ByteBuffer& payload);
  /// Appends what `raw` becomes to `payload` and says by which codec: by none if compressing gains too little.
  [[nodiscard]] Result<CodecId> compress(Bytes raw, ByteBuffer& payload);

  /// For work of the same kind on the same thread.
  [[nodiscard]] CompressionScratch& scratch() noexcept { return scratch_; }

 private:
  [[nodiscard]] bool is_compressed_already(Bytes raw, const ContentProfile& profile);

  std::shared_ptr<const CompressionPlan> plan_;
  CompressionScratch scratch_;
  ByteBuffer tried_;
  CodecPaces paces_;
  std::chrono::nanoseconds end_{0};  ///< Of the time that there is.
};

}  // namespace chunker::pipeline
