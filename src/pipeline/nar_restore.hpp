#pragma once

#include <tbb/enumerable_thread_specific.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/restore.hpp"
#include "chunker/sink.hpp"
#include "pipeline/cpu_use.hpp"
#include "pipeline/memory_plan.hpp"
#include "pipeline/nar_hashes.hpp"
#include "pipeline/pool.hpp"
#include "pipeline/progress.hpp"
#include "refs/references.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_format.hpp"
#include "store/parts.hpp"

namespace chunker::pipeline {

class NarRestore;

/// A run of a NAR's chunks that lie in one frame, while it goes through the stages.
struct FrameRun {
  struct Piece {
    Digest digest;
    store::ChunkLocation location;
    std::uint64_t offset_bytes;  ///< In the NAR.
  };
  NarRestore* nar = nullptr;
  std::vector<Piece> pieces;  ///< None: the NAR ends here.
  bool has_last = false;      ///< The NAR's last piece is among them.
  ByteBuffer frame;
  std::atomic<std::size_t> uses{0};  ///< While it is hashed.

  [[nodiscard]] MutableBytes bytes_of(const Piece& piece) noexcept {
    return frame.span().subspan(static_cast<std::size_t>(piece.location.offset_in_frame),
                                static_cast<std::size_t>(piece.location.chunk_bytes));
  }
};

/// What all NARs of one restore share.
struct RestoreShared {
  Store::Parts& parts;
  const RestoreMemory& memory;
  std::stop_token stop;
  CpuUse* cpu;              ///< Null if nothing is asked of it.
  ProgressMeter* progress;  ///< May be absent.
  Pool<FrameRun>& runs;
  NarHashes& hashes;
  tbb::enumerable_thread_specific<store::FrameReader>& readers;
};

/// A NAR that is to be given back, or the part of it in `range`, and who gets it.
struct NarOrder {
  Digest nar_sha256;
  std::optional<ByteRange> range;
  std::function<Result<void>(std::uint64_t nar_bytes)> on_begin;  ///< Before the first byte.
  ByteSink sink;
  std::function<Result<void>()> on_verified;  ///< After the last byte, if all is well.
  /// At last, whatever happened; the other functions are gone by then.
  std::function<void(Result<void>)> on_end;
};

/// One NAR on its way out: what each stage does to it (restore_stages.hpp).
/// Owns:    the list of its chunks and references.
/// Threads: plan(), write(), hash() and end() one thread at a time each, in order of the runs; decode() any number.
/// Errors:  go to the order's on_end; after the first the NAR's other runs go through the stages untouched.
/// Cost:    one index look-up per 256 chunks, one decoded frame per run.
class NarRestore {
 public:
  NarRestore(const RestoreShared& shared, NarOrder order)
      : shared_(shared), order_(std::move(order)), sha256_(shared.hashes) {}

  /// The next run; one without pieces is the last.
  [[nodiscard]] std::unique_ptr<FrameRun> plan();
  /// Reads and decodes the frame, verifies each chunk, puts the references back.
  void decode(FrameRun& run);
  void write(FrameRun& run);
  /// Takes the run along until its bytes are hashed, which may be later.
  void hash(std::unique_ptr<FrameRun> run);
  /// Verifies the NAR's own hash and tells whoever ordered it. After that nobody else needs the NAR.
  void end();
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  Result<void> plan_pieces(FrameRun& run);
  Result<void> begin();
  Result<std::uint64_t> read_lists(Store::Parts& parts);
  Result<void> reserve_lists(const store::ManifestHead& head);
  void narrow(ByteRange range);
  Result<void> locate_ahead();
  Result<void> decode_frame(FrameRun& run);
  Result<void> load_frame(FrameRun& run);
  Result<void> load_elsewhere(FrameRun& run);
  [[nodiscard]] bool was_removed() const;
  Bytes wanted(Bytes bytes, std::uint64_t offset_bytes) const;
  Result<void> verify();
  void fail(Error error);
  template <class Work>
  void attempt(Work work);

  const RestoreShared& shared_;
  NarOrder order_;
  bool begun_ = false;
  MemoryBudget::Reservation lists_;     ///< Beyond what is planned for.
  std::shared_ptr<const Store> newer_;  ///< Where the lists come from, if a second look found them.
  std::vector<ChunkReference> chunks_;
  References references_;
  std::size_t located_ = 0;  ///< Chunks looked up so far.
  std::uint64_t located_bytes_ = 0;
  std::vector<FrameRun::Piece> ahead_;
  std::size_t ahead_next_ = 0;
  NarHashes::Stream sha256_;

  std::atomic<bool> failed_{false}, ended_{false};
  base::Mutex error_mutex_;
  std::optional<Error> error_ CHUNKER_GUARDED_BY(error_mutex_);
};

}  // namespace chunker::pipeline
