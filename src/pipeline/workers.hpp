#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/catching.hpp"
#include "base/try.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/threads.hpp"
#include "pipeline/cpu_use.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::pipeline {

/// How many threads an operation gets: what was asked for, or one per available CPU if that is 0; no more than the
/// quota allows.
[[nodiscard]] unsigned thread_count(unsigned asked, const CpuQuota& quota = {});

/// How many of `wanted` files, or trees that take `descriptors_each`, to have open at once: fewer near the limit of
/// descriptors, of which those that the store needs on `threads` threads are left free; at least one (R11.2).
[[nodiscard]] std::size_t files_at_once(std::size_t wanted, unsigned threads,
                                        std::size_t descriptors_each = 1) noexcept;

/// How many of `threads` threads can have a file each.
[[nodiscard]] inline unsigned threads_with_a_file(unsigned threads) noexcept {
  return static_cast<unsigned>(files_at_once(threads, threads));
}

/// NARs that go through their stages at once: so many pipelines, of so many NARs each.
struct UnderWay {
  unsigned pipelines;
  std::size_t nars_each;
};

/// A pipeline per thread, and up to `nars_each_max` NARs in each; fewer where fewer files can be open.
[[nodiscard]] UnderWay nars_under_way(std::size_t nars, unsigned threads, std::size_t nars_each_max,
                                      std::size_t descriptors_each = 1) noexcept;

/// How many of `wanted` threads the system lets this process start now. Asked before libraries are let
/// loose that end the process where a thread cannot be had: RocksDB and TBB do.
/// Cost: some 20 us a thread, once per process unless a later call wants more.
[[nodiscard]] unsigned startable_threads(unsigned wanted) noexcept;

/// Calls work(0) to work(count - 1), each begun in this order, up to `threads` at once in a TBB arena of
/// that size, or as many as the system lets us start; TBB work inside `work` shares the same threads, and who waits for
/// it begins no other item meanwhile.
/// They are TBB's, the caller's among them, or with a `use` that wants so threads of our own, which leave the process
/// alone (doc/adr/0055). Returns when all are done. What `work` throws reaches the caller then; the first of
/// several, and what is not begun stays so (R25.4).
void for_each_in_order(unsigned threads, std::size_t count,
                       const std::function<void(std::size_t)>& work, CpuUse* use = nullptr);

/// The same for workers that have nothing but `shared` in common, and the compiler holds them to it: nothing slips
/// in by capture, and its type states that any thread may use it (chunker/threads.hpp).
template <class Shared, class Work>
  requires std::invocable<const Work&, Shared&, std::size_t>
void for_each_in_order(unsigned threads, std::size_t count, Shared& shared, const Work& work,
                       CpuUse* use = nullptr) {
  static_assert(Shareable<Shared>, "workers share only what is Threads::shared");
  static_assert(std::is_empty_v<Work>,
                "workers share only what they are given, and capture nothing");
  for_each_in_order(threads, count, [&shared, &work](std::size_t i) { work(shared, i); }, use);
}

/// Runs `work`, which does not throw, on a thread of this nice level, and so whatever threads it starts; on the
/// caller's own if that is 0.
template <class Work>
auto at_nice_level(int level, const Work& work) {
  if (level == 0) return work();
  std::optional<decltype(work())> done;
  std::jthread([&] {
    resource::lower_thread_priority(level);
    done.emplace(work());
  }).join();
  return std::move(*done);
}

using base::catching;

/// Runs `work`, all of an operation with this quota, at its nice level; what it throws becomes its error.
/// Errors: invalid_argument for the quota.
template <class Work>
auto within_quota(const CpuQuota& quota, const Work& work) -> decltype(work()) {
  CHUNKER_TRY_VOID(quota.validate());
  const auto work_safely = [&] { return catching(work); };
  return catching([&] { return at_nice_level(quota.nice_level, work_safely); });
}

}  // namespace chunker::pipeline
