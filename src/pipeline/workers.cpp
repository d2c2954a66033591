#include "pipeline/workers.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <latch>
#include <thread>
#include <vector>

namespace chunker::pipeline {

unsigned thread_count(unsigned asked) noexcept {
  return asked != 0 ? asked : std::max(1U, std::thread::hardware_concurrency());
}

unsigned startable_threads(unsigned wanted) noexcept {
  static std::atomic<unsigned> proven{0};
  if (wanted <= proven) return wanted;
  std::latch all_started(1);
  std::vector<std::jthread> threads;
  try {
    // All at once: each needs its own place among the processes, and its own stack.
    threads.reserve(wanted);
    while (threads.size() < wanted) threads.emplace_back([&] { all_started.wait(); });
    proven = wanted;
  } catch (const std::exception&) {
    // What was started so far is what can be had.
  }
  all_started.count_down();
  return static_cast<unsigned>(threads.size());
}

void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work) {
  const unsigned wanted = threads - 1;
  const unsigned startable = startable_threads(wanted);
  // At the limit, half of what is left stays for libraries and neighbors.
  threads = 1 + (startable < wanted ? startable / 2 : wanted);
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
