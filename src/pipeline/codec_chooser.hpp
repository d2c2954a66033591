#pragma once

#include <optional>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/content_type.hpp"
#include "chunker/error.hpp"
#include "pipeline/cheapest_codec.hpp"

namespace chunker::pipeline {

/// Says which codec suits what content, as a strategy wants it.
/// Owns:    a share of the codecs.
/// Threads: shared.
/// Errors:  see make(); choosing has none.
/// Cost:    some microseconds per choice; `automatic` tries codecs on 32 KiB of the content.
class CodecChooser {
 public:
  /// `now` is asked only for `automatic`, and only here. Errors: codec_unavailable; codec_failed for a
  /// registered codec that does not give back what it was given.
  [[nodiscard]] static Result<CodecChooser> make(const CodecRegistry& registry,
                                                 CompressionStrategy strategy, const Clock& now);

  /// One that knows a single codec, and none that is faster.
  [[nodiscard]] static CodecChooser always(const CompressionCodec& codec) {
    return {{codec, codec}, {codec, codec}};
  }

  /// The codec for content of this profile; valid as long as this.
  [[nodiscard]] const CompressionCodec& choose(Bytes content, const ContentProfile& profile,
                                               CompressionScratch& scratch) const;
  /// Faster ones than those, for whom their time is too short; the best first.
  [[nodiscard]] std::span<const CompressionCodec> faster() const noexcept { return faster_; }

 private:
  /// One level for content that is machine code and for what is not.
  struct Level {
    CompressionCodec plain;
    CompressionCodec x86;
  };

  CodecChooser(Level usual, Level harder) : usual_(std::move(usual)), harder_(std::move(harder)) {}
  [[nodiscard]] Result<void> add_faster(const CodecRegistry& registry,
                                        CompressionStrategy strategy);

  Level usual_;
  Level harder_;  ///< Where that pays.
  std::optional<CheapestCodec> cheapest_;
  std::vector<CompressionCodec> faster_;
};

}  // namespace chunker::pipeline
