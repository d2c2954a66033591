#pragma once

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

/// Chooses a codec for the content of a frame and compresses it.
/// Owns:    its codec contexts.
/// Threads: movable; one per worker.
/// Errors:  codec_failed.
/// Cost:    that of the codec.
class FrameCompressor {
 public:
  /// `x86_codec` is for what looks like machine code.
  FrameCompressor(CompressionCodec codec, CompressionCodec x86_codec)
      : codec_(std::move(codec)), x86_codec_(std::move(x86_codec)) {}

  /// Sets the frame's codec and payload to what `raw` becomes.
  [[nodiscard]] Result<void> compress(Bytes raw, store::Frame& frame);

 private:
  CompressionCodec codec_;
  CompressionCodec x86_codec_;
  CompressionScratch scratch_;
};

}  // namespace chunker::pipeline
