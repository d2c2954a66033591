#include "pipeline/cpu_use.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

/// Below this a block costs more than the work in it.
constexpr std::size_t kBlockBytesMin = 4096;

}  // namespace

CpuUse::CpuUse(CpuQuota quota, unsigned threads, SchedulerClock scheduler_clock)
    : quota_(std::move(quota)),
      threads_(threads),
      scheduler_clock_(std::move(scheduler_clock)),
      threads_allowed_(threads) {}

std::shared_ptr<CpuUse> CpuUse::make_if_any(const CpuQuota& quota, unsigned threads) {
  auto use = std::make_shared<CpuUse>(quota, threads);
  return use->needs_own_threads() || use->yields() ? use : nullptr;
}

CpuUse::Working::Working(CpuUse& use) : use_(use) {
  Mine& mine = use.mine_.local();
  mine.counted_until = resource::thread_cpu_time();
  if (!use.quota_.ease_off) return;
  if (const auto sample = use.scheduler_clock_()) mine.sample = *sample;
}

CpuUse::Working::~Working() { use_.count_time(use_.mine_.local()); }

bool CpuUse::needs_own_threads() const noexcept {
  return quota_.nice_level != 0 || quota_.cpu_time_limit_ms != 0 || quota_.ease_off;
}

std::size_t CpuUse::block_bytes(std::size_t most) const noexcept {
  if (!yields()) return most;
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(quota_.yield_interval_bytes, kBlockBytesMin, most));
}

void CpuUse::spend(std::uint64_t bytes) {
  Mine& mine = mine_.local();
  yield_if_due(mine, bytes);
  if (quota_.ease_off) feel_pressure(mine, bytes);
  if (limits_time()) count_time(mine);
}

Result<void> CpuUse::pass(std::uint64_t bytes) {
  spend(bytes);
  return check_limit();
}

Result<void> CpuUse::check_limit() noexcept {
  constexpr std::chrono::nanoseconds::rep kNsPerMs = 1'000'000;
  const auto used_ms = static_cast<std::uint64_t>(used_ns_ / kNsPerMs);
  if (!limits_time() || used_ms < quota_.cpu_time_limit_ms) return {};
  if (!is_one_finished_) return {};
  is_stopped_ = true;
  return base::fail(ErrorCode::cpu_time_limit_exceeded, "the CPU time is used up");
}

void CpuUse::count_time(Mine& mine) noexcept {
  const auto now = resource::thread_cpu_time();
  // A thread that came in from elsewhere begins now: what it did before was not for us.
  if (mine.counted_until == std::chrono::nanoseconds(0)) mine.counted_until = now;
  used_ns_ += (now - mine.counted_until).count();
  mine.counted_until = now;
}

void CpuUse::yield_if_due(Mine& mine, std::uint64_t bytes) const {
  if (!yields()) return;
  mine.bytes_since_yield += bytes;
  if (mine.bytes_since_yield < quota_.yield_interval_bytes) return;
  mine.bytes_since_yield = 0;
  if (quota_.yield) {
    quota_.yield();
  } else {
    std::this_thread::yield();
  }
}

/// Halved under pressure, one more without: as TCP does, so that several operations come to share the machine.
void CpuUse::feel_pressure(Mine& mine, std::uint64_t bytes) {
  mine.bytes_since_sample += bytes;
  if (mine.bytes_since_sample < kSampleBytes) return;
  mine.bytes_since_sample = 0;
  const auto now = scheduler_clock_();
  if (!now) return;
  const base::Lock lock(mutex_);
  window_.ran += now->ran - mine.sample.ran;
  window_.waited += now->waited - mine.sample.waited;
  mine.sample = *now;
  const auto whole = window_.ran + window_.waited;
  if (whole < kWindow) return;
  const double share =
      static_cast<double>(window_.waited.count()) / static_cast<double>(whole.count());
  window_ = {};
  if (share > kPressure) {
    threads_allowed_ = std::max(1U, threads_allowed_ / 2);
  } else if (share < kNoPressure) {
    threads_allowed_ = std::min(threads_, threads_allowed_ + 1);
  }
}

}  // namespace chunker::pipeline
