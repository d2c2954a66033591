#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <new>

#include "base/try.hpp"
#include "chunker/error.hpp"

namespace chunker::pipeline {

/// How many threads an operation gets: what was asked for, or one per processor this process may use.
[[nodiscard]] unsigned thread_count(unsigned asked) noexcept;

/// Calls work(0) to work(count - 1), each begun in this order, up to `threads` at once in a TBB arena of
/// that size; TBB work inside `work` shares the same threads. Returns when all are done.
void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work);

/// What `work` returns; an exception of a dependency becomes an error here, so that none leaves a worker.
template <class Work>
[[nodiscard]] auto catching(Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return base::fail(ErrorCode::memory_limit_exceeded, "memory is exhausted");
  } catch (const std::exception& error) {
    return base::fail(ErrorCode::internal, "a dependency failed", Error::kNoOffset, error.what());
  }
}

}  // namespace chunker::pipeline
