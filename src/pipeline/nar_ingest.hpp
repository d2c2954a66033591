#pragma once

#include <tbb/enumerable_thread_specific.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/chunking.hpp"
#include "chunker/ingest.hpp"
#include "chunker/manifest.hpp"
#include "pipeline/chunk_hash.hpp"
#include "pipeline/cpu_use.hpp"
#include "pipeline/frame_builder.hpp"
#include "pipeline/input.hpp"
#include "pipeline/memory_plan.hpp"
#include "pipeline/nar_hashes.hpp"
#include "pipeline/older_version.hpp"
#include "pipeline/pool.hpp"
#include "pipeline/progress.hpp"
#include "refs/references.hpp"
#include "store/manifest_format.hpp"
#include "store/parts.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

class NarIngest;

/// A stretch of one NAR with the chunks that end in it, while it goes through the stages.
struct Slab {
  NarIngest* nar = nullptr;
  bool is_last = false;
  ByteBuffer bytes;
  std::size_t fresh_begin = 0;      ///< Before this lies what the slab before had left over.
  std::size_t fresh_end = 0;        ///< Behind it what is not yet cut: it may begin a reference.
  std::uint64_t offset_bytes = 0;   ///< Of the first byte, in the NAR.
  std::vector<ChunkExtent> chunks;  ///< Offsets in the NAR.
  std::vector<OlderRange> older;    ///< Per chunk, if there is an older version.
  std::vector<refs::Reference> taken_out;  ///< Of the fresh bytes.
  std::vector<ChunkReference> chunk_list;
  std::vector<Digest> waits_for;
  StoredBytes stored;

  [[nodiscard]] Bytes fresh() const noexcept {
    return bytes.view().subspan(fresh_begin, fresh_end - fresh_begin);
  }
  [[nodiscard]] Bytes bytes_of(const ChunkExtent& chunk) const noexcept {
    return bytes.view().subspan(static_cast<std::size_t>(chunk.offset_bytes - offset_bytes),
                                static_cast<std::size_t>(chunk.size_bytes));
  }
};

/// What all NARs of one ingest share.
struct IngestShared {
  Store::Parts& parts;
  store::StoreWriter& writer;
  ChunkHash hash;
  std::shared_ptr<const ResolvedOptions> chunking;
  Recipe recipe;
  std::optional<refs::ReferenceNormalizer>
      normalizer;  ///< At the beginning of a stream; to be copied.
  bool deltas;
  const IngestMemory& memory;
  std::stop_token stop;
  CpuUse* cpu;  ///< Null if nothing is asked of it.
  ProgressMeter& progress;
  Pool<Slab>& slabs;
  NarHashes& hashes;
  tbb::enumerable_thread_specific<FrameBuilder>& builders;
  PackagesUnderWay& under_way;
};

/// A NAR that is to be taken in, and whom to tell.
struct IngestOrder {
  const IngestSource* source = nullptr;
  /// Once: when it is durable, or has failed.
  std::function<void(const Result<IngestedNar>&)> report;
  /// Once, at last: it is staged with the writer or has failed.
  std::function<void()> on_end;
};

/// One NAR on its way in: what each stage does to it (ingest_stages.hpp).
/// Owns:    the list of its chunks and references; what was read of it and belongs to no chunk yet.
/// Threads: read_and_cut() and collect() one thread at a time each, in order of the slabs; store_chunks() any number.
/// Errors:  go to the order's report; after the first, what is under way goes through the stages untouched.
/// Cost:    as much memory as the longest chunk, and a slab.
class NarIngest {
 public:
  NarIngest(const IngestShared& shared, IngestOrder order);

  /// The next bytes, without their references, and the chunks that end in them; up to the one that is the last.
  [[nodiscard]] std::unique_ptr<Slab> read_and_cut();
  /// Hashes, asks whether known, compresses, puts.
  void store_chunks(Slab& slab);
  /// The hash of the NAR as it came, and the list of its chunks. After the last slab nobody else needs the NAR.
  void collect(std::unique_ptr<Slab> slab);
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  Result<void> open();
  Result<void> find_older_version();
  void find_in_older_version(Slab& slab);
  Result<void> look_back_if_new(Slab& slab, std::span<const Digest> digests);
  [[nodiscard]] std::size_t slab_room() const noexcept;
  Result<void> reserve_lists();
  void take_rest(Slab& slab);
  Result<void> fill(Slab& slab);
  Result<void> read_more(Slab& slab);
  std::size_t normalize(Slab& slab);
  void keep_rest(const Slab& slab);
  Result<void> check_is_nar(Bytes head);
  std::vector<Digest> base_around(std::span<const ChunkBytes> chunks) const;
  Result<void> hash_and_put(Slab& slab);
  Result<void> put_pieces(const store::EncodedManifest& encoded);
  [[nodiscard]] IngestedNar summary() const;
  Result<void> stage();
  void end();
  void fail(Error error);

  const IngestShared& shared_;
  MemoryBudget& budget_;
  IngestOrder order_;
  std::unique_ptr<Input> input_;
  std::optional<refs::ReferenceNormalizer> normalizer_;
  NarAwareChunker chunker_;
  std::vector<MemoryBudget::Reservation> lists_;  ///< Beyond what is planned for.
  ByteBuffer carry_;                              ///< What lies behind the last chunk.
  std::size_t carry_cut_ = 0;                     ///< How much of it the chunker has seen.
  std::uint64_t carry_offset_ = 0;
  std::string package_;
  std::shared_ptr<const OlderVersion> older_;
  bool looked_for_older_ = false;
  bool is_read_ = false;
  std::size_t chunk_count_ = 0;
  NarHashes::Stream sha256_;
  Manifest manifest_;
  std::vector<Digest> waits_for_;
  StoredBytes stored_;

  std::atomic<bool> failed_{false}, ended_{false};
  base::Mutex error_mutex_;
  std::optional<Error> error_ CHUNKER_GUARDED_BY(error_mutex_);
};

}  // namespace chunker::pipeline
