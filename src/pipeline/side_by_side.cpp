#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "base/try.hpp"
#include "cut/candidates.hpp"
#include "pipeline/file_cutting.hpp"
#include "pipeline/resolved_options.hpp"
#include "pipeline/workers.hpp"

namespace chunker::pipeline {
namespace {

/// Of these the first may be what the slab before could not finish.
/// All slabs under way shall fit into a processor's cache: 4 MiB each cost a twentieth of the time (bench/RESULTS.md).
constexpr std::size_t kSlabBytes = 2 << 20;
/// Slabs under way per thread: one being worked on, one waiting for its turn in a serial stage.
constexpr std::size_t kSlabsPerThread = 2;
/// A slab has room for a chunk besides what it reads; larger ones are cut by one thread.
constexpr std::uint64_t kChunkBytesMax = 16 << 20;

/// A stretch of the file while it goes through the stages.
struct Slab {
  std::size_t number = 0;
  ByteBuffer bytes;
  std::size_t begin = 0;        ///< The rest that the slab before left over, then the fresh bytes.
  std::size_t fresh_begin = 0;  ///< The same in all slabs.
  std::size_t fresh_end = 0;    ///< Behind it what is not yet final: it may begin a reference.
  std::size_t read_bytes = 0;
  bool last = false;
  Result<void> done;
  cut::Candidates candidates;  ///< In the fresh bytes.
  std::vector<ChunkExtent> chunks;
  std::vector<Digest> digests;
  std::vector<ContentProfile> profiles;

  [[nodiscard]] Bytes fresh() const noexcept {
    return bytes.view().subspan(fresh_begin, fresh_end - fresh_begin);
  }
};

class SideBySide {
 public:
  SideBySide(FileCutting& cutting, Input& input, ProgressMeter& progress, unsigned threads)
      : cutting_(cutting),
        input_(input),
        progress_(progress),
        cutter_(cutting.cut.chunking->parts().cutter),
        room_(static_cast<std::size_t>(cutting.chunker.bytes_kept_max())),
        threads_(threads),
        slabs_under_way_max_(kSlabsPerThread * threads),
        slabs_(slabs_under_way_max_ + 1),
        unfinished_(cutting.buffer.view().subspan(cutting.fed)),
        rest_(cutting.buffer.view().first(cutting.fed)) {}

  Result<void> run();

 private:
  [[nodiscard]] std::size_t slabs_allowed() const noexcept;
  void run_stages(std::size_t slabs_max);
  Slab* next_slab(tbb::flow_control& flow);
  Result<void> read(Slab& slab);
  void find_candidates(Slab& slab);
  void cut(Slab& slab);
  Result<void> cut_fresh(Slab& slab);
  void hash(Slab& slab);
  void collect(Slab& slab);

  // Does `work` unless the slab has failed; then all threads hear of it.
  template <class Work>
  void attempt(Slab& slab, Work work) {
    if (!slab.done) return;
    slab.done = catching(work);
    if (!slab.done) failed_ = true;
  }

  FileCutting& cutting_;
  Input& input_;
  ProgressMeter& progress_;
  const cut::AnyCutter& cutter_;
  const std::size_t room_;
  const unsigned threads_;

  // Slabs come out in the order they went in. So when one may enter, all but the last `slabs_under_way_max_` have come
  // out, and one more stays as it is for what it left over.
  const std::size_t slabs_under_way_max_;
  std::vector<Slab> slabs_;
  std::size_t slabs_now_ = 0;  ///< As many at most while the stages run.
  std::size_t entered_ = 0;
  ByteBuffer unfinished_;  ///< Read, but not yet final.
  bool ended_ = false;
  Bytes rest_;  ///< What the last slab that was cut left over, where it lies.
  std::atomic<std::size_t> cut_count_{0};
  std::atomic<bool> failed_{false};
  Result<void> result_;
};

/// Under pressure as many as threads may work.
std::size_t SideBySide::slabs_allowed() const noexcept {
  const CpuUse* const cpu = cutting_.cut.cpu.get();
  return cpu != nullptr && cpu->is_eased() ? cpu->allowed_of(threads_) : slabs_under_way_max_;
}

/// Stage 1, in order: the next bytes, without their references.
Slab* SideBySide::next_slab(tbb::flow_control& flow) {
  if (ended_ || failed_ || slabs_allowed() != slabs_now_) {
    flow.stop();
    return nullptr;
  }
  Slab& slab = slabs_[entered_ % slabs_.size()];
  slab.number = entered_++;
  slab.done = {};
  attempt(slab, [&] { return read(slab); });
  return &slab;
}

Result<void> SideBySide::read(Slab& slab) {
  if (cutting_.cut.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (cutting_.cut.cpu != nullptr) CHUNKER_TRY_VOID(cutting_.cut.cpu->pass(0));
  slab.bytes.resize(room_ + kSlabBytes);
  std::ranges::copy(unfinished_.view(), slab.bytes.data() + room_);
  const MutableBytes unread = slab.bytes.span().subspan(room_ + unfinished_.size());
  CHUNKER_TRY(slab.read_bytes, input_.read(unread));
  slab.bytes.resize(slab.bytes.size() - (unread.size() - slab.read_bytes));
  slab.last = ended_ = slab.read_bytes < unread.size();
  slab.fresh_begin = room_;
  slab.fresh_end = room_ + cutting_.normalize(slab.bytes.span().subspan(room_), ended_);
  unfinished_.clear();
  unfinished_.append(slab.bytes.view().subspan(slab.fresh_end));
  return {};
}

/// Stage 2, side by side: where the cutter might cut, wherever chunks begin. The slab whose turn it is to be cut can
/// do without: when it is known where its chunks begin, less is to be scanned.
void SideBySide::find_candidates(Slab& slab) {
  slab.candidates.piece = {};
  if (failed_ || slab.number == cut_count_) return;
  attempt(slab, [&]() -> Result<void> {
    cutter_.find_candidates(slab.fresh(), slab.candidates);
    return {};
  });
}

/// Stage 3, in order: the chunks that end in the slab.
void SideBySide::cut(Slab& slab) {
  slab.chunks.clear();
  if (!failed_) attempt(slab, [&] { return cut_fresh(slab); });
  ++cut_count_;
}

Result<void> SideBySide::cut_fresh(Slab& slab) {
  slab.begin = slab.fresh_begin - rest_.size();
  if (!rest_.empty()) std::memcpy(slab.bytes.data() + slab.begin, rest_.data(), rest_.size());
  CHUNKER_TRY_VOID(cutting_.chunker.feed(slab.fresh(), slab.chunks, slab.candidates));
  if (slab.last) CHUNKER_TRY_VOID(cutting_.chunker.finish(slab.chunks));
  std::size_t rest_begin = slab.begin;
  for (const ChunkExtent& chunk : slab.chunks) {
    rest_begin += static_cast<std::size_t>(chunk.size_bytes);
  }
  rest_ = slab.bytes.view().subspan(rest_begin, slab.fresh_end - rest_begin);
  return {};
}

/// Stage 4, side by side.
void SideBySide::hash(Slab& slab) {
  slab.digests.clear();
  slab.profiles.clear();
  if (failed_) return;
  attempt(slab, [&]() -> Result<void> {
    describe(cutting_.cut, slab.chunks, slab.bytes.view().subspan(slab.begin), slab.digests,
             slab.profiles);
    return cutting_.cut.cpu != nullptr ? cutting_.cut.cpu->pass(slab.read_bytes) : Result<void>();
  });
}

/// Stage 5, in order.
void SideBySide::collect(Slab& slab) {
  if (result_ && !slab.done) result_ = slab.done;
  if (failed_) return;
  attempt(slab, [&]() -> Result<void> {
    FileChunks& file = cutting_.file;
    file.extents.insert(file.extents.end(), slab.chunks.begin(), slab.chunks.end());
    file.digests.insert(file.digests.end(), slab.digests.begin(), slab.digests.end());
    file.profiles.insert(file.profiles.end(), slab.profiles.begin(), slab.profiles.end());
    file.bytes += slab.read_bytes;
    progress_.add_bytes(slab.read_bytes);
    return {};
  });
}

void SideBySide::run_stages(std::size_t slabs_max) {
  using tbb::filter_mode;
  const auto stage = [this](filter_mode mode, void (SideBySide::*work)(Slab&)) {
    return tbb::make_filter<Slab*, Slab*>(mode, [this, work](Slab* slab) {
      (this->*work)(*slab);
      return slab;
    });
  };
  // Isolated: a thread that waits here must not begin another file on top of this one.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_pipeline(
        slabs_max,
        tbb::make_filter<void, Slab*>(filter_mode::serial_in_order,
                                      [this](tbb::flow_control& flow) { return next_slab(flow); }) &
            stage(filter_mode::parallel, &SideBySide::find_candidates) &
            stage(filter_mode::serial_in_order, &SideBySide::cut) &
            stage(filter_mode::parallel, &SideBySide::hash) &
            tbb::make_filter<Slab*, void>(filter_mode::serial_in_order,
                                          [this](Slab* slab) { collect(*slab); }));
  });
}

/// oneTBB's pipelines neither grow nor shrink while they run: they end where the number of slabs changes.
Result<void> SideBySide::run() {
  while (!ended_ && !failed_) {
    slabs_now_ = slabs_allowed();
    run_stages(slabs_now_);
  }
  return result_;
}

}  // namespace

bool fits_side_by_side(const FileCutting& cutting) noexcept {
  return cutting.chunker.bytes_kept_max() <= kChunkBytesMax;
}

Result<void> cut_side_by_side(FileCutting& cutting, Input& input, ProgressMeter& progress,
                              unsigned threads) {
  return SideBySide(cutting, input, progress, threads).run();
}

}  // namespace chunker::pipeline
