#pragma once

#include <cstddef>
#include <cstdint>

#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"
#include "pipeline/nar_hashes.hpp"

// How much operations have in flight at once, from an estimate of what each needs (R9.5; doc/adr/0057). What they need
// is reserved before they begin, so that nothing fails halfway.
namespace chunker::pipeline {

/// What ingest has in flight.
struct IngestMemory {
  /// One being worked on, one waiting for its turn in a serial stage.
  static constexpr std::size_t kSlabsPerThread = 2;

  MemoryBudget::Reservation reserved{};
  unsigned threads = 0;
  std::size_t slab_bytes = 0;  ///< Read at once.
  std::size_t slabs_per_pipeline =
      0;                     ///< Where one thread alone takes NARs in; at most, where several do.
  std::size_t nars_max = 0;  ///< For each of these.
  std::uint64_t hash_bytes_max = 0;  ///< What waits in NarHashes.
};

struct IngestNeeds {
  unsigned threads;
  std::size_t nars;
  std::uint64_t chunk_bytes_max;  ///< What one chunk and its look-ahead take.
  CompressionStrategy strategy;
  bool deltas;
  const CodecRegistry* codecs =
      nullptr;  ///< What the strategy takes its codecs from, to be asked for their needs.
};

/// As many threads and as large slabs as the budget allows. Errors: memory_limit_exceeded if one thread with the
/// smallest slabs is too much.
[[nodiscard]] Result<IngestMemory> plan_ingest(MemoryBudget& budget, const IngestNeeds& needs);

/// What restore has in flight.
struct RestoreMemory {
  static constexpr std::size_t kRunsPerThread = 3;

  MemoryBudget::Reservation reserved{};
  unsigned threads = 0;
  std::size_t runs_per_pipeline =
      0;  ///< Frames, where one thread alone gives NARs back; at most, where several do.
  std::size_t nars_max = 0;  ///< For each of these.
  std::uint64_t hash_bytes_max = 0;
};

[[nodiscard]] Result<RestoreMemory> plan_restore(MemoryBudget& budget, unsigned threads,
                                                 std::size_t nars);

/// Threads that need so much each.
struct ThreadsMemory {
  MemoryBudget::Reservation reserved{};
  unsigned threads = 0;
};

[[nodiscard]] Result<ThreadsMemory> plan_threads(MemoryBudget& budget, unsigned threads,
                                                 std::size_t each_bytes);

/// What cutting files has in flight.
struct CutMemory {
  MemoryBudget::Reservation reserved{};
  unsigned threads = 0;
  bool may_share = true;  ///< Whether there is memory for several threads at one file.
};

[[nodiscard]] Result<CutMemory> plan_cut(MemoryBudget& budget, unsigned threads,
                                         std::uint64_t chunk_bytes_max);

/// What a NAR's lists (chunks, entries, references) may take before they are reserved for by themselves.
inline constexpr std::size_t kNarListBytes = 1 << 20;

}  // namespace chunker::pipeline
