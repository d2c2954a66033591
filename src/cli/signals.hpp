#pragma once

#include <csignal>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

namespace chunker::cli {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP becomes a request to stop. A second one, or
/// kGraceSeconds without an end, ends the process at once: what is acknowledged is durable, so that is
/// safe at any moment. Signals that were ignored (nohup) stay ignored.
/// Where no thread or descriptor is left, signals keep on ending the process at once.
/// Owns:    one thread and a pipe. At most one of it lives at a time.
/// Threads: confined; received() from any thread.
class SignalWatch {
 public:
  static constexpr int kGraceSeconds = 10;

  explicit SignalWatch(std::stop_source stop);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that came; 0 if none did.
  [[nodiscard]] static int received() noexcept;
  /// "SIGINT" for the signal that came; empty if none did.
  [[nodiscard]] static std::string_view received_name() noexcept;

 private:
  struct Saved {
    int signal;
    struct sigaction action;
  };

  std::vector<Saved> saved_;
  std::jthread thread_;
};

}  // namespace chunker::cli
