#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <utility>

namespace chunker::resource {

/// The waits between tries of something that may pass: twice as long each time, a quarter more or less by chance, so
/// that many who failed together do not try together again.
/// Threads: one at a time.
/// Errors:  none.
/// Cost:    kTriesMax waits, about a quarter of a second in all.
class Backoff {
 public:
  using Sleep = std::function<void(std::chrono::microseconds)>;

  static constexpr std::chrono::microseconds kFirst{1000};
  static constexpr int kTriesMax = 8;

  explicit Backoff(Sleep sleep = {}) : sleep_(std::move(sleep)) {}

  /// Waits, until `stop` is requested at most; false, and at once, when there was waiting enough or it was before.
  [[nodiscard]] bool wait(const std::stop_token& stop = {});

 private:
  Sleep sleep_;
  int tries_ = 0;
};

}  // namespace chunker::resource
