#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/mutex.hpp"

namespace chunker::pipeline {

/// Keeps used objects for the next one who needs them: their memory is already touched, and fresh pages
/// cost more than most work done in them (1.6 GB/s at best).
/// Owns:    what was given back.
/// Threads: shared.
/// Errors:  none.
/// Cost:    one short lock per take and give; it holds as many objects as were ever in use at once.
template <class T>
class Pool {
 public:
  [[nodiscard]] std::unique_ptr<T> take() {
    {
      const base::Lock lock(mutex_);
      if (!free_.empty()) {
        auto taken = std::move(free_.back());
        free_.pop_back();
        return taken;
      }
    }
    return std::make_unique<T>();
  }

  void give(std::unique_ptr<T> used) noexcept {
    const base::Lock lock(mutex_);
    try {
      free_.push_back(std::move(used));
    } catch (const std::bad_alloc&) {
      // Then it is not kept.
    }
  }

 private:
  base::Mutex mutex_;
  std::vector<std::unique_ptr<T>> free_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
