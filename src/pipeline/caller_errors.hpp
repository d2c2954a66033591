#pragma once

#include <utility>

#include "base/catching.hpp"
#include "base/mutex.hpp"

namespace chunker::pipeline {

/// What functions of the caller's throw that are only told of something. They are called by any thread, and what
/// they throw shall neither end that thread's work nor be lost: it waits for the operation's end (R25.4).
/// Owns:    the first such error.
/// Threads: shared.
/// Errors:  none of its own.
/// Cost:    nothing worth mentioning.
class CallerErrors {
 public:
  template <class Tell>
  void keep_of(const Tell& tell) {
    auto told = base::catching([&]() -> Result<void> {
      tell();
      return {};
    });
    if (told) return;
    const base::Lock lock(mutex_);
    if (first_) first_ = std::move(told);
  }

  [[nodiscard]] Result<void> first() const {
    const base::Lock lock(mutex_);
    return first_;
  }

 private:
  mutable base::Mutex mutex_;
  Result<void> first_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
