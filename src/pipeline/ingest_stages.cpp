#include "pipeline/ingest_stages.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "pipeline/row_share.hpp"
#include "pipeline/workers.hpp"

namespace chunker::pipeline {
namespace {

using NextIngest = std::function<std::optional<IngestOrder>()>;
/// Owned while it travels: what ends the stages with an exception frees it.
using SlabPtr = std::unique_ptr<Slab>;

bool may_keep_waiting(const IngestSource& source) {
  std::error_code unknown;
  switch (source.kind) {
    case IngestSource::Kind::nar_file:
      return !std::filesystem::is_regular_file(source.path, unknown);
    case IngestSource::Kind::tree:
      return false;
    case IngestSource::Kind::file_descriptor:
      return true;
  }
  return true;
}

/// NARs that take turns in one row of stages. Rows that have run out of NARs leave their threads to the others.
class IngestStages {
 public:
  IngestStages(const IngestShared& shared, std::size_t nars_max, Rows& rows,
               const NextIngest& next_order)
      : shared_(shared),
        nars_max_(nars_max),
        share_(IngestMemory::kSlabsPerThread, shared.memory.slabs_per_pipeline, rows),
        next_order_(next_order) {}

  void run();

 private:
  SlabPtr read_and_cut(tbb::flow_control& flow);
  void begin_nars();
  void run_stages(std::size_t slabs_max);

  const IngestShared& shared_;
  const std::size_t nars_max_;
  RowShare share_;
  const NextIngest& next_order_;
  std::optional<IngestOrder> next_;  // Waits until it can be alone.
  bool alone_ = false;               // The NAR that is read must not have others beside it.
  using Nars = std::list<std::unique_ptr<NarIngest>>;
  Nars going_;   // Those that have slabs to come; the first has its turn.
  Nars ending_;  // Those whose last slab is on its way, and some that have ended.
};

/// Stage 1, in order: a slab of each NAR in turn.
SlabPtr IngestStages::read_and_cut(tbb::flow_control& flow) {
  begin_nars();
  if (going_.empty() || share_.changes(alone_)) {
    flow.stop();
    return nullptr;
  }
  auto slab = going_.front()->read_and_cut();
  Nars& next = slab->is_last ? ending_ : going_;
  next.splice(next.end(), going_, going_.begin());
  return slab;
}

void IngestStages::begin_nars() {
  std::erase_if(ending_, [](const auto& nar) { return nar->ended(); });
  if (going_.empty()) alone_ = false;
  while (going_.size() < nars_max_ && !alone_) {
    if (!next_) next_ = next_order_();
    if (!next_) return;
    alone_ = may_keep_waiting(*next_->source);
    if (alone_ && !going_.empty()) return;
    going_.push_back(std::make_unique<NarIngest>(shared_, *std::exchange(next_, std::nullopt)));
  }
}

void IngestStages::run_stages(std::size_t slabs_max) {
  using tbb::filter_mode;
  const auto read = [this](tbb::flow_control& flow) { return read_and_cut(flow); };
  const auto store = [](SlabPtr slab) {
    slab->nar->store_chunks(*slab);
    return slab;
  };
  const auto collect = [](SlabPtr slab) {
    NarIngest& nar = *slab->nar;
    nar.collect(std::move(slab));
  };
  tbb::parallel_pipeline(
      slabs_max, tbb::make_filter<void, SlabPtr>(filter_mode::serial_in_order, read) &
                     tbb::make_filter<SlabPtr, SlabPtr>(filter_mode::parallel, store) &
                     tbb::make_filter<SlabPtr, void>(filter_mode::serial_in_order, collect));
}

void IngestStages::run() {
  share_.run([this](std::size_t slabs_max) {
    // Isolated: a thread that waits here must not begin other NARs on top of these.
    tbb::this_task_arena::isolate([this, slabs_max] { run_stages(slabs_max); });
  });
}

struct IngestRows {
  static constexpr Threads kThreads = Threads::shared;

  const IngestShared& shared;
  IngestQueue& queue;
  std::size_t nars_each;
  NextIngest next_order;
  Rows rows;
};

constexpr auto run_row = [](IngestRows& all, std::size_t) {
  while (!all.queue.is_empty_for_now()) {
    IngestStages(all.shared, all.nars_each, all.rows, all.next_order).run();
  }
  all.rows.end_one();
};

}  // namespace

void ingest_nars(const IngestShared& shared, IngestQueue& queue, const OrderOf& order_of) {
  const unsigned threads = shared.memory.threads;
  const UnderWay under_way =
      nars_under_way(queue.size(), threads, shared.memory.nars_max, queue.descriptors_each());
  const auto next_order = [&]() -> std::optional<IngestOrder> {
    const auto source = queue.next();
    return source ? std::optional(order_of(*source)) : std::nullopt;
  };
  // Of a quota's time, little should be lost with what is under way at its end.
  const bool is_limited = shared.cpu != nullptr && shared.cpu->limits_time();
  IngestRows rows{shared, queue, is_limited ? 1 : under_way.nars_each, next_order,
                  Rows(under_way.pipelines, shared.cpu)};
  for_each_in_order(threads, under_way.pipelines, rows, run_row, shared.cpu);
}

}  // namespace chunker::pipeline
