#pragma once

#include <cstddef>
#include <functional>

#include "base/catching.hpp"

namespace chunker::pipeline {

/// How many threads an operation gets: what was asked for, or one per processor this process may use.
[[nodiscard]] unsigned thread_count(unsigned asked) noexcept;

/// Calls work(0) to work(count - 1), each begun in this order, up to `threads` at once in a TBB arena of
/// that size; TBB work inside `work` shares the same threads. Returns when all are done.
void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work);

using base::catching;

}  // namespace chunker::pipeline
