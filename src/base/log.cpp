#include "base/log.hpp"

#include <atomic>
#include <exception>
#include <set>
#include <string>
#include <utility>

#include "base/mutex.hpp"
#include "chunker/log.hpp"

namespace chunker {
namespace {

struct Log {
  base::Mutex mutex;
  LogSink sink CHUNKER_GUARDED_BY(mutex){};
  std::atomic<bool> traces{false};  ///< Whether anybody listens to LogLevel::trace.
  std::set<std::string> told CHUNKER_GUARDED_BY(mutex){};  ///< Keys of deprecated algorithms.
};

// One per process, as its standard error is; never destroyed, since threads may outlive main().
Log& process_log() {
  static Log& log = *new Log;
  return log;
}

}  // namespace

void set_log_sink(LogSink sink, LogLevel least) {
  Log& log = process_log();
  const base::Lock lock(log.mutex);
  log.sink.swap(sink);
  log.traces = log.sink && least == LogLevel::trace;
}

namespace base {

void warn_if_deprecated(const AlgorithmInfo& algorithm) {
  if (algorithm.deprecated.empty()) return;
  Log& log = process_log();
  const Lock lock(log.mutex);
  // What nobody heard is told again to the first who listens.
  try {
    if (!log.sink || !log.told.insert(algorithm.key()).second) return;
    log.sink(LogLevel::warning, algorithm.key() + " is deprecated: " + algorithm.deprecated);
  } catch (...) {
    // Whoever cannot listen must not break what is going on.
  }
}

void trace_uses(std::string_view what, std::span<const AlgorithmUse> uses,
                std::string_view to_what) {
  Log& log = process_log();
  if (!log.traces) return;
  const Lock lock(log.mutex);
  try {
    for (const AlgorithmUse& use : uses) {
      if (!log.sink) return;
      std::string line(what);
      line.append(" ").append(use.algorithm.label());
      line.append(" count=").append(std::to_string(use.count));
      line.append(" bytes_in=").append(std::to_string(use.bytes_in));
      line.append(" bytes_out=").append(std::to_string(use.bytes_out));
      log.sink(LogLevel::trace, line.append(" ").append(to_what));
    }
  } catch (...) {
    // As above.
  }
}

}  // namespace base
}  // namespace chunker
