#include "pipeline/restore_stages.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <list>
#include <memory>
#include <utility>

#include "pipeline/row_share.hpp"
#include "pipeline/workers.hpp"

namespace chunker::pipeline {
namespace {

using RunPtr = std::unique_ptr<FrameRun>;

/// NARs that take turns in one row of stages. Rows that have run out of NARs leave their threads to the others.
class RestoreStages {
 public:
  RestoreStages(const RestoreShared& shared, std::size_t nars_max, Rows& rows,
                const NextOrder& next_order)
      : shared_(shared),
        nars_max_(nars_max),
        share_(RestoreMemory::kRunsPerThread, shared.memory.runs_per_pipeline, rows),
        next_order_(next_order) {}

  void run();

 private:
  RunPtr plan(tbb::flow_control& flow);
  void begin_nars();
  void hash(RunPtr run);
  void run_stages(std::size_t runs_max);

  const RestoreShared& shared_;
  const std::size_t nars_max_;
  RowShare share_;
  const NextOrder& next_order_;
  bool more_ = true;
  using Nars = std::list<std::unique_ptr<NarRestore>>;
  Nars going_;   // Those that have runs to come; the first has its turn.
  Nars ending_;  // Those whose last run is on its way, and some that have ended.
};

/// Stage 1, in order: a run of each NAR in turn.
RunPtr RestoreStages::plan(tbb::flow_control& flow) {
  begin_nars();
  if (going_.empty() || share_.changes()) {
    flow.stop();
    return nullptr;
  }
  auto run = going_.front()->plan();
  Nars& next = run->pieces.empty() ? ending_ : going_;
  next.splice(next.end(), going_, going_.begin());
  return run;
}

void RestoreStages::begin_nars() {
  std::erase_if(ending_, [](const auto& nar) { return nar->ended(); });
  while (more_ && going_.size() < nars_max_) {
    auto order = next_order_();
    more_ = order.has_value();
    if (order) going_.push_back(std::make_unique<NarRestore>(shared_, std::move(*order)));
  }
}

/// Stage 4, in order: the NAR's own hash. Last, because pieces may wait there.
void RestoreStages::hash(RunPtr run) {
  if (!run->pieces.empty()) return run->nar->hash(std::move(run));
  NarRestore& nar = *run->nar;
  shared_.runs.give(std::move(run));
  nar.end();
}

void RestoreStages::run_stages(std::size_t runs_max) {
  using tbb::filter_mode;
  tbb::parallel_pipeline(
      runs_max,
      tbb::make_filter<void, RunPtr>(filter_mode::serial_in_order, [this](tbb::flow_control& flow) {
        return plan(flow);
      }) & tbb::make_filter<RunPtr, RunPtr>(filter_mode::parallel, [](RunPtr run) {
        // Isolated: if the store's hash or codec uses TBB, a thread that waits there must not decode another
        // run with the same FrameReader.
        tbb::this_task_arena::isolate([&run] { run->nar->decode(*run); });
        return run;
      }) & tbb::make_filter<RunPtr, RunPtr>(filter_mode::serial_in_order, [](RunPtr run) {
        run->nar->write(*run);
        return run;
      }) & tbb::make_filter<RunPtr, void>(filter_mode::serial_in_order, [this](RunPtr run) {
        hash(std::move(run));
      }));
}

void RestoreStages::run() {
  share_.run([this](std::size_t runs_max) {
    // Isolated: a thread that waits here must not begin other NARs on top of these.
    tbb::this_task_arena::isolate([this, runs_max] { run_stages(runs_max); });
  });
}

struct RestoreRows {
  static constexpr Threads kThreads = Threads::shared;

  const RestoreShared& shared;
  std::size_t nars_each;
  const NextOrder& next_order;
  Rows rows;
};

constexpr auto run_row = [](RestoreRows& all, std::size_t) {
  RestoreStages(all.shared, all.nars_each, all.rows, all.next_order).run();
  all.rows.end_one();
};

}  // namespace

void restore_nars(const RestoreShared& shared, std::size_t nar_count, const NextOrder& next_order) {
  const unsigned threads = shared.memory.threads;
  const UnderWay under_way = nars_under_way(nar_count, threads, shared.memory.nars_max);
  // Of a quota's time, little should be lost with what is under way at its end.
  const bool is_limited = shared.cpu != nullptr && shared.cpu->limits_time();
  RestoreRows rows{shared, is_limited ? 1 : under_way.nars_each, next_order,
                   Rows(under_way.pipelines, shared.cpu)};
  for_each_in_order(threads, under_way.pipelines, rows, run_row, shared.cpu);
}

}  // namespace chunker::pipeline
