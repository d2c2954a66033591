#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "delta/window_sample.hpp"
#include "store/frame_reader.hpp"
#include "store/parts.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

/// A frame's content as what distinguishes it from its base.
struct Delta {
  std::vector<Digest> base;
  ScratchBuffer payload;
  double
      expected_bytes;  ///< What the content would take by itself, if it compressed as its base did.
  double share_max;    ///< Of what the content takes by itself, to be worth it.

  [[nodiscard]] bool clearly_smaller_than(double bytes) const noexcept {
    return static_cast<double>(payload.bytes().size()) < share_max * bytes;
  }
  /// Whether there is no need to try the content by itself.
  [[nodiscard]] bool surely_smaller() const noexcept {
    return clearly_smaller_than(0.8 * expected_bytes);
  }
  void move_into(store::Frame& frame) &&;
};

/// Makes deltas against chunks that the store has, one step deep.
/// Owns:    its buffers and codec contexts.
/// Threads: movable; one per worker.
/// Errors:  codec_failed. A base that cannot be read is no error: then there is no delta.
/// Cost:    reads what is suggested (the store's FrameCache keeps what neighbors share) and samples both sides at
///          several GB/s, with a few look-ups per chunk; only where they share windows, compresses, which costs
///          about as much as without a base.
class DeltaEncoder {
 public:
  /// More is not better: what a frame of 1 MiB resembles lies within this, and each byte has to be decoded again
  /// by whoever reads the frame.
  static constexpr std::uint64_t kBaseBytesMax = 3 << 20;

  explicit DeltaEncoder(Store::Parts& parts) : parts_(&parts), reader_(parts) {}

  /// `raw`, which is these chunks, as a delta against those of the `suggested` ones that are like it, else against
  /// what the index knows to be like it; none if nothing promises to be worth it.
  [[nodiscard]] Result<std::optional<Delta>> encode(Bytes raw,
                                                    std::span<const ChunkReference> chunks,
                                                    std::span<const Digest> suggested);
  /// Lets what was given to encode() last be found as a base, once it is stored as it is.
  [[nodiscard]] Result<void> remember();

 private:
  struct Candidate {
    Digest digest;
    store::ChunkLocation location;
  };
  struct Base {
    std::vector<Digest> chunks;
    std::uint64_t raw_bytes = 0;
    double stored_bytes = 0;  ///< What these bytes take as they are stored.
  };
  [[nodiscard]] Result<void> add_candidates(std::span<const Digest> digests, bool may_nest);
  void look_at(Bytes raw, std::span<const ChunkReference> chunks);
  [[nodiscard]] Result<Base> choose_base(std::span<const Digest> suggested);
  [[nodiscard]] Result<Base> choose_similar();
  void add(const Candidate& candidate, Bytes bytes, Base& base);

  Store::Parts* parts_;
  store::FrameReader reader_;
  CompressionScratch scratch_;
  delta::WindowSample sample_;  ///< Of the content; empty if it is small.
  std::vector<store::ChunkFeatures> features_;
  std::vector<Candidate> candidates_;
  ByteBuffer base_;
};

}  // namespace chunker::pipeline
