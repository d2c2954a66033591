#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// CPU that one operation may use (R10). What is left at its default costs nothing: nothing is measured then, and
/// nobody yields (R12.5).
/// Owns:    the function, if there is one.
/// Threads: shared.
/// Errors:  validate() has them.
/// Cost:    with a nice level, a time limit or ease_off the operation starts threads of its own, some 20 us each,
///          instead of using those that oneTBB keeps for the whole process (doc/adr/0055).
struct CpuQuota {
  static constexpr int kNiceLevelMax = 19;

  /// Threads that work at the same time, at most, whatever else is asked for; 0 is available_cpus() (R10.1).
  unsigned max_threads = 0;
  /// 1 to 19: the operation's threads give way to others as nice(1) says; 0 leaves them as they are. Nothing is ever
  /// raised: where the caller is at a higher level, they are too (R10.3).
  int nice_level = 0;
  /// Once the operation's threads have computed for so long, it stops as if it were done, with what is finished kept
  /// and cpu_time_limit_exceeded for the rest: ask for that again to go on. 0 is without end. One item is always
  /// finished, so that every call comes closer to the end, and what one thread has under way is noticed late (R10.4).
  std::uint64_t cpu_time_limit_ms = 0;
  /// Each thread yields once it has worked through so many bytes, at the next end of a block or chunk; 0 is never
  /// (R10.5).
  std::uint64_t yield_interval_bytes = 0;
  /// What yielding is: called by any of the operation's threads. Empty is std::this_thread::yield().
  std::function<void()> yield{};
  /// Fewer threads at work, on many items or on a large one, while the scheduler lets them wait for a CPU, and more
  /// again when it does not (R12.3).
  bool ease_off = false;

  /// Errors: invalid_argument for a nice level outside 0 to 19.
  [[nodiscard]] Result<void> validate() const;
};

template <>
inline constexpr Threads threads_of<CpuQuota> = Threads::shared;

/// CPUs that the control groups of this process allow it, on average: 0.5 is half of one (R10.2). The smallest limit
/// counts on the way from its group to the root: `cpu.max` of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of
/// version 1. `root` stands for "/", so that proc/self/cgroup and sys/fs/cgroup may be found elsewhere.
/// Errors:  none: nothing where no group has a limit, or none can be read.
/// Cost:    opens two files per group, about 10 us each.
[[nodiscard]] std::optional<double> cgroup_cpus(const std::filesystem::path& root = "/");

/// How many threads can run at the same time: the CPUs that sched_setaffinity leaves to this process, or those of
/// cgroup_cpus() if they are fewer, rounded up, since a CPU that is left half unused is worse than one that is waited
/// for. At least 1. Asked anew by each operation, because containers are resized while they run.
[[nodiscard]] unsigned available_cpus(const std::filesystem::path& root = "/");

}  // namespace chunker
