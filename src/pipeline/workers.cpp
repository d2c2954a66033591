#include "pipeline/workers.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace chunker::pipeline {

unsigned thread_count(unsigned asked) noexcept {
  return asked != 0 ? asked : std::max(1U, std::thread::hardware_concurrency());
}

void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work) {
  // TBB makes no more threads than processors unless told so.
  const tbb::global_control allow(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  std::atomic<std::size_t> next{0};
  arena.execute([&] {
    // TBB itself would split the range and begin in the middle of it.
    tbb::parallel_for(
        0U, threads,
        [&](unsigned) {
          for (std::size_t i = next++; i < count; i = next++) work(i);
        },
        tbb::simple_partitioner());
  });
}

}  // namespace chunker::pipeline
