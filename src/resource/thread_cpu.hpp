#pragma once

#include <chrono>
#include <optional>

namespace chunker::resource {

/// How long the calling thread has computed.
/// Cost: about 0.2 us.
[[nodiscard]] std::chrono::nanoseconds thread_cpu_time() noexcept;

/// How long all threads of this process have computed, those that ended among them.
[[nodiscard]] std::chrono::nanoseconds process_cpu_time() noexcept;

/// What became of a thread's time, apart from when it waited for something other than a CPU.
struct SchedulerTimes {
  std::chrono::nanoseconds ran{};
  std::chrono::nanoseconds
      waited{};  ///< Ready, but others had the CPU, or the group's quota was used up.
};

/// Those of the calling thread so far (/proc/thread-self/schedstat). Nothing where the kernel does not count them.
/// Cost: about 5 us.
[[nodiscard]] std::optional<SchedulerTimes> thread_scheduler_times() noexcept;

/// The nice level of the calling thread.
[[nodiscard]] int thread_nice_level() noexcept;

/// The calling thread, and those that it starts from now on, give way to others: as nice(1) with `level` would have
/// it, or more so if it does already.
void lower_thread_priority(int level) noexcept;

}  // namespace chunker::resource
