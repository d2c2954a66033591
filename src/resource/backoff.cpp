#include "resource/backoff.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace chunker::resource {
namespace {

void sleep_until_stop(std::chrono::microseconds pause, const std::stop_token& stop) {
  constexpr std::chrono::microseconds kSlice = std::chrono::milliseconds(10);
  for (; pause.count() > 0 && !stop.stop_requested(); pause -= kSlice) {
    std::this_thread::sleep_for(std::min(pause, kSlice));
  }
}

}  // namespace

bool Backoff::wait(const std::stop_token& stop) {
  if (tries_ == kTriesMax || stop.stop_requested()) return false;
  thread_local std::minstd_rand chance(std::random_device{}());
  const auto full = kFirst * (1 << tries_++);
  const auto quarter = full.count() / 4;
  std::uniform_int_distribution<std::chrono::microseconds::rep> spread(-quarter, quarter);
  const std::chrono::microseconds pause = full + std::chrono::microseconds(spread(chance));
  if (sleep_) {
    sleep_(pause);
  } else {
    sleep_until_stop(pause, stop);
  }
  return true;
}

}  // namespace chunker::resource
