#pragma once

#include <tbb/enumerable_thread_specific.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>

#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/restore.hpp"
#include "chunker/sink.hpp"
#include "pipeline/nar_hashes.hpp"
#include "pipeline/pool.hpp"
#include "pipeline/progress.hpp"
#include "store/frame_reader.hpp"
#include "store/parts.hpp"

namespace chunker::pipeline {

/// A run of a NAR's chunks that lie in one frame, while it goes through the stages.
struct FrameRun {
  struct Piece {
    Digest digest;
    store::ChunkLocation location;
    std::uint64_t offset_bytes;  ///< In the NAR.
  };
  std::vector<Piece> pieces;
  ByteBuffer frame;

  [[nodiscard]] MutableBytes bytes_of(const Piece& piece) noexcept {
    return frame.span().subspan(static_cast<std::size_t>(piece.location.offset_in_frame),
                                static_cast<std::size_t>(piece.location.chunk_bytes));
  }
};

/// What all NARs of one restore share.
struct RestoreShared {
  Store::Parts& parts;
  unsigned threads;
  std::stop_token stop;
  ProgressMeter* progress;  ///< May be absent.
  Pool<FrameRun>& runs;
  NarHashes& hashes;
  tbb::enumerable_thread_specific<store::FrameReader>& readers;
};

/// Gives one NAR back, or the part of it in `range`: the frames it needs are read, decoded and verified side by
/// side and written in order. `on_size` hears before the first byte how many the NAR has.
[[nodiscard]] Result<void> restore_nar(
    const RestoreShared& shared, const Digest& nar_sha256, std::optional<ByteRange> range,
    const ByteSink& sink, const std::function<Result<void>(std::uint64_t)>& on_size = {});

}  // namespace chunker::pipeline
