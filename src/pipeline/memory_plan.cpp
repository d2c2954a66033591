#include "pipeline/memory_plan.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "pipeline/delta_encoder.hpp"
#include "store/frame_reader.hpp"
#include "store/pack.hpp"

namespace chunker::pipeline {
namespace {

constexpr std::size_t kMiB = 1 << 20;

/// Long enough that a stage's overhead vanishes and that frames fill, short enough that a 100 MB NAR has
/// work for every thread and few of them fit into memory at once.
constexpr std::size_t kSlabBytes = 2 * kMiB;
constexpr std::size_t kSlabBytesMin = kMiB / 2;
constexpr std::size_t kSlabsPerThread = IngestMemory::kSlabsPerThread;
constexpr std::size_t kRunsPerThread = RestoreMemory::kRunsPerThread;
/// NARs that go through the same stages at once: enough for their hashes to keep each other company.
constexpr std::size_t kNarsPerThread = 8;
/// Room for the slabs of sixteen NARs that are to be hashed side by side.
constexpr std::uint64_t kHashedLaterBytesMax = 64 * kMiB;

/// What an operation leaves to caches: without the frames that deltas need, each would be decoded for every neighbor.
constexpr std::size_t kCacheBytes = 8 * kMiB;
/// Bookkeeping of packs, of chunks on their way, and of the operation itself.
constexpr std::size_t kOperationBytes = 2 * kMiB;

/// What codecs' contexts take at most for frames of the usual size (bench/RESULTS.md, "Memory limits").
std::size_t usual_context_bytes(CompressionStrategy strategy) noexcept {
  switch (strategy) {
    case CompressionStrategy::fastest:
      return kMiB;
    case CompressionStrategy::balanced:
      return 4 * kMiB;
    case CompressionStrategy::adaptive:
      return 8 * kMiB;
    case CompressionStrategy::smallest:
      return 24 * kMiB;
    case CompressionStrategy::automatic:
      return 32 * kMiB;
  }
  return 32 * kMiB;
}

/// More where a codec says so: at high levels, or for large chunks.
std::size_t context_bytes(const IngestNeeds& needs, std::size_t frame_bytes) {
  std::size_t bytes = usual_context_bytes(needs.strategy);
  if (needs.codecs == nullptr) return bytes;
  for (const auto& codec :
       {needs.codecs->for_strategy(needs.strategy), needs.codecs->for_x86_code(needs.strategy)}) {
    if (codec) bytes = std::max(bytes, codec->context_bytes(frame_bytes));
  }
  return bytes;
}

constexpr std::size_t kDeltaContextBytes = 5 * kMiB;

/// A FrameBuilder's buffers and contexts.
std::size_t worker_bytes(const IngestNeeds& needs) {
  const auto frame =
      static_cast<std::size_t>(std::max(store::kSharedFrameBytesMax, needs.chunk_bytes_max));
  // What is gathered, and what it becomes.
  const std::size_t plain = context_bytes(needs, frame) + 2 * frame;
  if (!needs.deltas) return plain;
  // The base, the delta, the context that has both, and what reads bases.
  return plain + DeltaEncoder::kBaseBytesMax + frame + kDeltaContextBytes +
         store::FrameReader::kBytesExpected;
}

/// Its lists, and those of the older version.
constexpr std::size_t kListsPerNar = 2;

/// What each thread needs, and each of the pipelines that run side by side: no more of these than threads.
struct InFlight {
  unsigned threads;
  std::size_t thread_bytes;
  std::size_t pipelines;
  std::size_t pipeline_bytes;
};

/// For as many threads as there is memory for; with fewer there are fewer pipelines as well.
Result<MemoryBudget::Share> share_for(MemoryBudget& budget, const InFlight& wanted) {
  const bool one_each = wanted.pipelines >= wanted.threads;
  const std::size_t each = wanted.thread_bytes + (one_each ? wanted.pipeline_bytes : 0);
  const std::size_t fixed =
      kOperationBytes + (one_each ? 0 : wanted.pipelines * wanted.pipeline_bytes);
  CHUNKER_TRY(auto share, budget.reserve_for(wanted.threads, each, fixed + kCacheBytes));
  share.memory.shrink_to(fixed + share.count * each);
  return share;
}

}  // namespace

Result<IngestMemory> plan_ingest(MemoryBudget& budget, const IngestNeeds& needs) {
  const std::size_t most = kSlabsPerThread * needs.threads;
  if (!budget.is_limited()) {
    return IngestMemory{{}, needs.threads, kSlabBytes, most, kNarsPerThread, kHashedLaterBytesMax};
  }
  CHUNKER_TRY_VOID(budget.check_buffer(needs.chunk_bytes_max));
  const auto chunk_bytes = static_cast<std::size_t>(needs.chunk_bytes_max);
  const auto plan_with = [&](std::size_t slab_bytes, std::size_t slabs, std::size_t nars,
                             std::size_t pipelines) -> Result<IngestMemory> {
    const std::size_t room = slab_bytes + chunk_bytes;
    // Of each NAR a slab waits for its hash, and the rest of one for the next; the newest slab is in no stage any more.
    const std::size_t pipeline_bytes =
        (slabs + 1) * room + nars * (room + chunk_bytes + kListsPerNar * kNarListBytes);
    CHUNKER_TRY(auto share,
                share_for(budget, {needs.threads, worker_bytes(needs), pipelines, pipeline_bytes}));
    return IngestMemory{std::move(share.memory),
                        static_cast<unsigned>(share.count),
                        slab_bytes,
                        slabs,
                        nars,
                        std::min(share.count, pipelines) * nars * room};
  };
  // Every thread is worth more than NARs side by side, and these more than large slabs.
  const std::size_t pipelines = std::min<std::size_t>(needs.nars, needs.threads);
  const std::size_t nars_most =
      std::clamp<std::size_t>(needs.nars / needs.threads, 1, kNarsPerThread);
  for (std::size_t slab_bytes = kSlabBytes; slab_bytes >= kSlabBytesMin; slab_bytes /= 2) {
    for (const std::size_t slabs : {most, kSlabsPerThread}) {
      for (std::size_t nars = nars_most; nars != 0; nars /= 2) {
        auto plan = plan_with(slab_bytes, slabs, nars, pipelines);
        if (plan && plan->threads == needs.threads) return plan;
      }
    }
  }
  return plan_with(kSlabBytesMin, 1, 1, needs.threads);
}

Result<RestoreMemory> plan_restore(MemoryBudget& budget, unsigned threads, std::size_t nars) {
  const std::size_t most = kRunsPerThread * threads;
  if (!budget.is_limited()) {
    return RestoreMemory{{}, threads, most, kNarsPerThread, NarHashes::kHeldBytesMax};
  }
  constexpr std::size_t kFrameBytes = store::FrameReader::kFrameBytesExpected;
  const auto plan_with = [&](std::size_t runs, std::size_t nars_each,
                             std::size_t pipelines) -> Result<RestoreMemory> {
    // Of each NAR one frame waits for its hash, beside the newest.
    const std::size_t pipeline_bytes =
        nars_each * kNarListBytes + (runs + nars_each + 1) * kFrameBytes;
    CHUNKER_TRY(auto share, share_for(budget, {threads, store::FrameReader::kBytesExpected,
                                               pipelines, pipeline_bytes}));
    return RestoreMemory{std::move(share.memory), static_cast<unsigned>(share.count), runs,
                         nars_each, std::min(share.count, pipelines) * nars_each * kFrameBytes};
  };
  const std::size_t pipelines = std::min<std::size_t>(nars, threads);
  for (const std::size_t runs : {most, kRunsPerThread}) {
    for (std::size_t nars_each = pipelines < threads ? 1 : kNarsPerThread; nars_each != 0;
         nars_each /= 2) {
      auto plan = plan_with(runs, nars_each, pipelines);
      if (plan && plan->threads == threads) return plan;
    }
  }
  return plan_with(1, 1, threads);
}

Result<CutMemory> plan_cut(MemoryBudget& budget, unsigned threads, std::uint64_t chunk_bytes_max) {
  if (!budget.is_limited()) return CutMemory{{}, threads};
  // What is read at once; the slabs of several threads at one file have twice that.
  constexpr std::size_t kReadBytes = kMiB;
  CHUNKER_TRY_VOID(budget.check_buffer(chunk_bytes_max));
  const std::size_t chunk_bytes = static_cast<std::size_t>(chunk_bytes_max);
  const std::size_t alone = 2 * (kReadBytes + chunk_bytes) + 2 * kNarListBytes;
  const std::size_t shared = alone + (kSlabsPerThread + 1) * (2 * kReadBytes + chunk_bytes);
  if (auto all = budget.reserve_for(threads, shared, kOperationBytes);
      all && all->count == threads) {
    return CutMemory{std::move(all->memory), threads};
  }
  CHUNKER_TRY(auto some, budget.reserve_for(threads, alone, kOperationBytes));
  return CutMemory{std::move(some.memory), static_cast<unsigned>(some.count), false};
}

Result<ThreadsMemory> plan_threads(MemoryBudget& budget, unsigned threads, std::size_t each_bytes) {
  if (!budget.is_limited()) return ThreadsMemory{{}, threads};
  CHUNKER_TRY(auto share, share_for(budget, {threads, each_bytes, threads, 0}));
  return ThreadsMemory{std::move(share.memory), static_cast<unsigned>(share.count)};
}

}  // namespace chunker::pipeline
