#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "base/catching.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "chunker/dictionary_training.hpp"

namespace chunker {

namespace {

constexpr const char* kEnded = "the trainer ended before the training began";

}  // namespace

struct DictionaryTraining::State {
  State(DictionarySamples given, DictionaryTrainingOptions how)
      : samples(std::move(given)), options(std::move(how)) {}

  DictionarySamples samples;
  const DictionaryTrainingOptions options;
  base::Mutex mutex;
  base::Condition changed;
  std::optional<Outcome> outcome CHUNKER_GUARDED_BY(mutex){};
  std::coroutine_handle<> waiting CHUNKER_GUARDED_BY(mutex){};
  bool went_on CHUNKER_GUARDED_BY(mutex) = false;                ///< The coroutine.
  std::optional<Error> not_resumed CHUNKER_GUARDED_BY(mutex){};  ///< What kept it from that.

  /// A coroutine that `resume_on` threw instead of taking goes on here, since nobody else would ever resume it.
  /// What a coroutine itself lets escape is dropped: whoever trains has others to serve.
  void finish(Outcome result) CHUNKER_EXCLUDES(mutex) {
    const std::coroutine_handle<> handle = settle(std::move(result));
    if (!handle) return;
    auto resumed = base::catching([&]() -> Result<void> {
      if (options.resume_on) {
        options.resume_on(handle);
      } else {
        handle.resume();
      }
      return {};
    });
    if (resumed || !is_left_with(std::move(resumed).error())) return;
    std::ignore = base::catching([&]() -> Result<void> {
      handle.resume();
      return {};
    });
  }

 private:
  std::coroutine_handle<> settle(Outcome result) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    outcome = std::move(result);
    changed.notify_all();
    return std::exchange(waiting, nullptr);
  }

  /// Whether the coroutine has not gone on; then that is what it will be told.
  bool is_left_with(Error error) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    if (!went_on) not_resumed = std::move(error).within("resume_on");
    return !went_on;
  }
};

bool DictionaryTraining::ready() const {
  const base::Lock lock(state_->mutex);
  return state_->outcome.has_value();
}

DictionaryTraining::Outcome DictionaryTraining::get() const {
  const base::Lock lock(state_->mutex);
  while (!state_->outcome) state_->changed.wait(state_->mutex);
  return *state_->outcome;
}

DictionaryTraining::Outcome DictionaryTraining::await_resume() const {
  const base::Lock lock(state_->mutex);
  state_->went_on = true;
  if (state_->not_resumed) return std::unexpected(*state_->not_resumed);
  return *state_->outcome;
}

bool DictionaryTraining::await_suspend(std::coroutine_handle<> waiting) const {
  const base::Lock lock(state_->mutex);
  if (state_->outcome) return false;
  state_->waiting = waiting;
  return true;
}

struct DictionaryTrainer::State {
  using Job = std::shared_ptr<DictionaryTraining::State>;

  explicit State(std::shared_ptr<DictionaryCache> into) : cache(std::move(into)) {}

  const std::shared_ptr<DictionaryCache> cache;
  base::Mutex mutex;
  base::Condition changed;
  std::deque<Job> waiting CHUNKER_GUARDED_BY(mutex){};
  bool stopping CHUNKER_GUARDED_BY(mutex) = false;
  std::jthread thread CHUNKER_GUARDED_BY(mutex){};

  [[nodiscard]] Result<void> add(Job job) {
    const base::Lock lock(mutex);
    if (stopping)
      return base::fail(ErrorCode::cancelled, kEnded);  // By a coroutine that was told so.
    if (!thread.joinable()) thread = std::jthread([this] { run(); });
    waiting.push_back(std::move(job));
    changed.notify_all();
    return {};
  }

  void run() {
    while (const Job job = next()) {
      job->finish(base::catching([&] { return train(*job); }));
    }
  }

  Job next() {
    const base::Lock lock(mutex);
    while (waiting.empty() && !stopping) changed.wait(mutex);
    if (stopping) return nullptr;
    Job job = std::move(waiting.front());
    waiting.pop_front();
    return job;
  }

  DictionaryTraining::Outcome train(DictionaryTraining::State& job) const {
    const DictionarySamples samples = std::exchange(job.samples, {});
    if (job.options.id != DictionaryId::none) {
      if (auto known = cache->cached(job.options.id)) return known;
    }
    CHUNKER_TRY(const ByteBuffer trained,
                train_dictionary(samples, job.options.dictionary_bytes_max, job.options.id));
    return cache->add(trained);
  }

  /// What waits, once nothing is begun any more.
  std::deque<Job> stop() {
    const base::Lock lock(mutex);
    stopping = true;
    changed.notify_all();
    return std::exchange(waiting, {});
  }
};

DictionaryTrainer::DictionaryTrainer(std::shared_ptr<DictionaryCache> cache)
    : state_(std::make_unique<State>(std::move(cache))) {}

DictionaryTrainer::~DictionaryTrainer() {
  for (const State::Job& job : state_->stop()) {
    job->finish(base::fail(ErrorCode::cancelled, kEnded));
  }
}

DictionaryTraining DictionaryTrainer::train(DictionarySamples samples,
                                            DictionaryTrainingOptions options) {
  auto job = std::make_shared<DictionaryTraining::State>(std::move(samples), std::move(options));
  const auto queued = base::catching([&] { return state_->add(job); });
  if (!queued) job->finish(std::unexpected(queued.error()));
  return DictionaryTraining(std::move(job));
}

}  // namespace chunker
