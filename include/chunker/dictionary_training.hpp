#pragma once

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>

#include "chunker/dictionary.hpp"
#include "chunker/dictionary_cache.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct DictionaryTrainingOptions {
  std::size_t dictionary_bytes_max = kDictionaryBytes;
  /// The number that it shall have; one that the cache has already is not trained again (R4.2).
  DictionaryId id = DictionaryId::none;
  /// Where a coroutine that waits goes on: called with its handle, to resume it on an executor. Empty goes on
  /// where the training ended; the coroutine must not destroy the trainer there. To throw is to refuse the handle:
  /// then it goes on there, too, and is given what was thrown as its error.
  std::function<void(std::coroutine_handle<>)> resume_on{};
};

template <>
inline constexpr Threads threads_of<DictionaryTrainingOptions> = Threads::shared;

/// A dictionary that will be there: to wait for, to look at, or to co_await.
/// Owns:    a share of the outcome.
/// Threads: shared; one coroutine at most waits for each.
/// Errors:  those of train_dictionary() and DictionaryCache::add(); cancelled if the trainer ended first; internal,
///          to the coroutine alone, for what `resume_on` threw.
/// Cost:    an allocation.
class DictionaryTraining {
 public:
  using Outcome = Result<std::shared_ptr<const Dictionary>>;

  [[nodiscard]] bool ready() const;
  /// Waits until it is there.
  [[nodiscard]] Outcome get() const;

  [[nodiscard]] bool await_ready() const { return ready(); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> waiting) const;
  [[nodiscard]] Outcome await_resume() const;

 private:
  friend class DictionaryTrainer;
  struct State;
  explicit DictionaryTraining(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<DictionaryTraining> = Threads::shared;

/// Trains dictionaries beside other work, one after another on a thread of its own, and puts them into a cache
/// (R4.5).
/// Owns:    the thread, from the first training on, and the samples that wait.
/// Threads: shared.
/// Errors:  each in its own outcome.
/// Cost:    train() takes no longer than moving the samples. The destructor waits for the training under way.
class DictionaryTrainer {
 public:
  explicit DictionaryTrainer(std::shared_ptr<DictionaryCache> cache);
  ~DictionaryTrainer();
  DictionaryTrainer(const DictionaryTrainer&) = delete;
  DictionaryTrainer& operator=(const DictionaryTrainer&) = delete;

  [[nodiscard]] DictionaryTraining train(DictionarySamples samples,
                                         DictionaryTrainingOptions options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<DictionaryTrainer> = Threads::shared;

}  // namespace chunker
