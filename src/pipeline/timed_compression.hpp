#pragma once

#include <chrono>
#include <unordered_map>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "pipeline/cheapest_codec.hpp"

namespace chunker::pipeline {

/// How many nanoseconds codecs took for a byte when they were tried last.
using CodecPaces = std::unordered_map<const CompressionCodec*, double>;

/// Compresses by the first of some codecs that gets done in time (R15.7).
///
/// A codec has three quarters of the time that is left, so that the next one still has some. First it compresses a
/// part of a 64th, which is not stopped: if that says that all of it will take longer, it is not begun. Then it is
/// asked to stop before a piece of work that would end too late if it took as long as the longest before. Once it was
/// four times too slow, it is left out for some frames.
///
/// Owns:    nothing.
/// Threads: confined.
/// Errors:  codec_failed.
/// Cost:    a 64th more than the codec alone, if the first one is fast enough.
class TimedCompression {
 public:
  /// The time ends when `now` is `end`. `paces` is kept by the caller, who gives the same codecs again.
  TimedCompression(std::chrono::nanoseconds end, const Clock& now, CodecPaces& paces)
      : now_(now), end_(end), paces_(paces) {}

  /// Appends to `output` what `codec` makes of `raw`; false if it would take too long, with `output` as it was.
  [[nodiscard]] Result<bool> compress(const CompressionCodec& codec, Bytes raw,
                                      CompressionScratch& scratch, ByteBuffer& output);

 private:
  using nanoseconds = std::chrono::nanoseconds;

  [[nodiscard]] Result<bool> looks_fast_enough(const CompressionCodec& codec, Bytes raw,
                                               nanoseconds end, CompressionScratch& scratch);

  const Clock& now_;
  nanoseconds end_;
  CodecPaces& paces_;
};

}  // namespace chunker::pipeline
