#include "resource/backoff.hpp"

#include <random>
#include <thread>

namespace chunker::resource {

bool Backoff::wait() {
  if (tries_ == kTriesMax) return false;
  thread_local std::minstd_rand chance(std::random_device{}());
  const auto full = kFirst * (1 << tries_++);
  const auto quarter = full.count() / 4;
  std::uniform_int_distribution<std::chrono::microseconds::rep> spread(-quarter, quarter);
  const std::chrono::microseconds pause = full + std::chrono::microseconds(spread(chance));
  if (sleep_) {
    sleep_(pause);
  } else {
    std::this_thread::sleep_for(pause);
  }
  return true;
}

}  // namespace chunker::resource
