#pragma once

#include <cstddef>
#include <functional>

#include "base/catching.hpp"

namespace chunker::pipeline {

/// How many threads an operation gets: what was asked for, or one per processor this process may use.
[[nodiscard]] unsigned thread_count(unsigned asked) noexcept;

/// How many of `wanted` threads the system lets this process start now. Asked before libraries are let
/// loose that end the process where a thread cannot be had: RocksDB and TBB do.
/// Cost: some 20 us a thread, once per process unless a later call wants more.
[[nodiscard]] unsigned startable_threads(unsigned wanted) noexcept;

/// Calls work(0) to work(count - 1), each begun in this order, up to `threads` at once in a TBB arena of
/// that size, or as many as the system lets us start; TBB work inside `work` shares the same threads.
/// Returns when all are done.
void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work);

using base::catching;

}  // namespace chunker::pipeline
