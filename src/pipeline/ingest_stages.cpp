#include "pipeline/ingest_stages.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <filesystem>
#include <list>
#include <memory>
#include <system_error>
#include <utility>

namespace chunker::pipeline {
namespace {

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

class IngestStages {
 public:
  IngestStages(const IngestShared& shared, std::size_t nars_max, const NextIngest& next_order)
      : shared_(shared), nars_max_(nars_max), next_order_(next_order) {}

  void run();

 private:
  Slab* read_and_cut(tbb::flow_control& flow);
  void begin_nars();

  const IngestShared& shared_;
  const std::size_t nars_max_;
  const NextIngest& next_order_;
  std::optional<IngestOrder> next_;  // Waits until it can be alone.
  bool alone_ = false;               // The NAR that is read must not have others beside it.
  using Nars = std::list<std::unique_ptr<NarIngest>>;
  Nars going_;   // Those that have slabs to come; the first has its turn.
  Nars ending_;  // Those whose last slab is on its way, and some that have ended.
};

/// Stage 1, in order: a slab of each NAR in turn.
Slab* IngestStages::read_and_cut(tbb::flow_control& flow) {
  begin_nars();
  if (going_.empty()) {
    flow.stop();
    return nullptr;
  }
  auto slab = going_.front()->read_and_cut();
  Nars& next = slab->is_last ? ending_ : going_;
  next.splice(next.end(), going_, going_.begin());
  return slab.release();
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

void IngestStages::run() {
  using tbb::filter_mode;
  // Isolated: a thread that waits here must not begin other NARs on top of these.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_pipeline(
        shared_.memory.slabs_per_pipeline,
        tbb::make_filter<void, Slab*>(filter_mode::serial_in_order, [this](
                                                                        tbb::flow_control& flow) {
          return read_and_cut(flow);
        }) & tbb::make_filter<Slab*, Slab*>(filter_mode::parallel, [](Slab* slab) {
          slab->nar->store_chunks(*slab);
          return slab;
        }) & tbb::make_filter<Slab*, void>(filter_mode::serial_in_order, [](Slab* slab) {
          slab->nar->collect(std::unique_ptr<Slab>(slab));
        }));
  });
}

}  // namespace

void ingest_nars(const IngestShared& shared, std::size_t nars_max, const NextIngest& next_order) {
  IngestStages(shared, nars_max, next_order).run();
}

}  // namespace chunker::pipeline
