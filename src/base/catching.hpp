#pragma once

#include <exception>
#include <new>

#include "base/try.hpp"
#include "chunker/error.hpp"

namespace chunker::base {

/// What `work` returns; an exception of a dependency becomes an error here, so that none leaves a thread.
template <class Work>
[[nodiscard]] auto catching(Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::memory_limit_exceeded, "memory is exhausted");
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "a dependency failed", Error::kNoOffset, error.what());
  }
}

}  // namespace chunker::base
