#include "pipeline/restore_stages.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <list>
#include <memory>
#include <utility>

namespace chunker::pipeline {
namespace {

class RestoreStages {
 public:
  RestoreStages(const RestoreShared& shared, std::size_t nars_max, const NextOrder& next_order)
      : shared_(shared), nars_max_(nars_max), next_order_(next_order) {}

  void run();

 private:
  FrameRun* plan(tbb::flow_control& flow);
  void begin_nars();
  void hash(std::unique_ptr<FrameRun> run);

  const RestoreShared& shared_;
  const std::size_t nars_max_;
  const NextOrder& next_order_;
  bool more_ = true;
  using Nars = std::list<std::unique_ptr<NarRestore>>;
  Nars going_;   // Those that have runs to come; the first has its turn.
  Nars ending_;  // Those whose last run is on its way, and some that have ended.
};

/// Stage 1, in order: a run of each NAR in turn.
FrameRun* RestoreStages::plan(tbb::flow_control& flow) {
  begin_nars();
  if (going_.empty()) {
    flow.stop();
    return nullptr;
  }
  auto run = going_.front()->plan();
  Nars& next = run->pieces.empty() ? ending_ : going_;
  next.splice(next.end(), going_, going_.begin());
  return run.release();
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
void RestoreStages::hash(std::unique_ptr<FrameRun> run) {
  if (!run->pieces.empty()) return run->nar->hash(std::move(run));
  NarRestore& nar = *run->nar;
  shared_.runs.give(std::move(run));
  nar.end();
}

void RestoreStages::run() {
  using tbb::filter_mode;
  // Isolated: a thread that waits here must not begin other NARs on top of these.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_pipeline(
        shared_.memory.runs_per_pipeline,
        tbb::make_filter<void, FrameRun*>(filter_mode::serial_in_order,
                                          [this](tbb::flow_control& flow) { return plan(flow); }) &
            tbb::make_filter<FrameRun*, FrameRun*>(filter_mode::parallel,
                                                   [](FrameRun* run) {
                                                     run->nar->decode(*run);
                                                     return run;
                                                   }) &
            tbb::make_filter<FrameRun*, FrameRun*>(filter_mode::serial_in_order,
                                                   [](FrameRun* run) {
                                                     run->nar->write(*run);
                                                     return run;
                                                   }) &
            tbb::make_filter<FrameRun*, void>(filter_mode::serial_in_order, [this](FrameRun* run) {
              hash(std::unique_ptr<FrameRun>(run));
            }));
  });
}

}  // namespace

void restore_nars(const RestoreShared& shared, std::size_t nars_max, const NextOrder& next_order) {
  RestoreStages(shared, nars_max, next_order).run();
}

}  // namespace chunker::pipeline
