#pragma once

#include <tbb/enumerable_thread_specific.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "chunker/chunking.hpp"
#include "chunker/ingest.hpp"
#include "chunker/manifest.hpp"
#include "pipeline/chunk_hash.hpp"
#include "pipeline/cpu_use.hpp"
#include "pipeline/frame_builder.hpp"
#include "pipeline/input.hpp"
#include "pipeline/nar_hashes.hpp"
#include "pipeline/older_version.hpp"
#include "pipeline/pool.hpp"
#include "pipeline/progress.hpp"
#include "refs/references.hpp"
#include "store/parts.hpp"
#include "store/writer.hpp"

namespace chunker::pipeline {

/// A stretch of one NAR with the chunks that end in it, while it goes through the stages.
struct Slab {
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
  unsigned threads;
  std::stop_token stop;
  CpuUse* cpu;  ///< Null if nothing is asked of it.
  ProgressMeter& progress;
  Pool<Slab>& slabs;
  NarHashes& hashes;
  tbb::enumerable_thread_specific<FrameBuilder>& builders;
  PackagesUnderWay& under_way;
};

/// What the source is called, if that is known before its bytes are.
[[nodiscard]] std::string name_of(const IngestSource& source);

/// Takes one NAR in: its slabs run through the stages side by side. On success the NAR is staged with the
/// writer, which calls `on_durable` later.
[[nodiscard]] Result<void> ingest_nar(const IngestShared& shared, const IngestSource& source,
                                      std::function<void(const Result<IngestedNar>&)> on_durable);

}  // namespace chunker::pipeline
