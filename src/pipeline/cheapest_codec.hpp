#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"

namespace chunker::pipeline {

/// A time that only grows, from any beginning.
using Clock = std::function<std::chrono::nanoseconds()>;

/// Finds the registered codec that is cheapest for content, at a price for every byte that is stored and for the
/// time that it takes to write and to read it (R22.3).
///
/// The rule: each codec's pace, in ns a byte for both ways together, is measured once, on bytes that are always
/// the same, and rounded to a power of two: so the choice depends on the content alone as long as the machine is
/// about as fast. A sample of the content then costs, by each codec, its compressed bytes times 400 ns, and its
/// bytes times the pace. The least wins; among equals the fastest, then the one that was registered first. A codec
/// that would lose even if it left a quarter less than the best so far is not tried: a slow one costs nothing where
/// it cannot win.
///
/// Owns:    a share of the codecs.
/// Threads: shared.
/// Errors:  see make(). A codec that fails on a sample is not chosen.
/// Cost:    each codec compresses 32 KiB of the content at most.
class CheapestCodec {
 public:
  /// Other codecs than the `usual` ones have to be 5 percent cheaper than they are: a sample is not everything.
  /// Errors: codec_failed for a codec that does not give back what it was given, named in the context.
  [[nodiscard]] static Result<CheapestCodec> make(const CodecRegistry& registry,
                                                  std::initializer_list<CodecId> usual,
                                                  const Clock& now);

  /// Null if the best is to leave the content as it is.
  [[nodiscard]] const CompressionCodec* choose(Bytes content, CompressionScratch& scratch) const;

 private:
  struct Candidate {
    CompressionCodec codec;
    double ns_per_byte;
    double doubt;  ///< A factor.
  };
  std::vector<Candidate> candidates_;  ///< The fastest first.
};

}  // namespace chunker::pipeline
