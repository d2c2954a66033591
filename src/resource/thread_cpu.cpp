#include "resource/thread_cpu.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>

namespace chunker::resource {

namespace {

std::chrono::nanoseconds time_of(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

std::chrono::nanoseconds thread_cpu_time() noexcept { return time_of(CLOCK_THREAD_CPUTIME_ID); }

std::chrono::nanoseconds process_cpu_time() noexcept { return time_of(CLOCK_PROCESS_CPUTIME_ID); }

std::optional<SchedulerTimes> thread_scheduler_times() noexcept {
  const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 128> text{};
  const ssize_t count = ::read(file, text.data(), text.size());
  ::close(file);
  const char* const end = text.data() + (count < 0 ? 0 : count);
  std::int64_t ran = 0;
  std::int64_t waited = 0;
  const auto first = std::from_chars(text.data(), end, ran);
  if (first.ec != std::errc() || first.ptr == end) return std::nullopt;
  if (std::from_chars(first.ptr + 1, end, waited).ec != std::errc()) return std::nullopt;
  return SchedulerTimes{std::chrono::nanoseconds(ran), std::chrono::nanoseconds(waited)};
}

// Linux keeps the level for each thread, whatever POSIX says: 0 is the calling one.
int thread_nice_level() noexcept { return ::getpriority(PRIO_PROCESS, 0); }

void lower_thread_priority(int level) noexcept {
  if (thread_nice_level() < level) (void)::setpriority(PRIO_PROCESS, 0, level);
}

}  // namespace chunker::resource
