#include "base/log.hpp"

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
  std::set<std::string> told CHUNKER_GUARDED_BY(mutex){};  ///< Keys of deprecated algorithms.
};

// One per process, as its standard error is; never destroyed, since threads may outlive main().
Log& process_log() {
  static Log& log = *new Log;
  return log;
}

}  // namespace

void set_log_sink(LogSink sink) {
  Log& log = process_log();
  const base::Lock lock(log.mutex);
  log.sink.swap(sink);
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

}  // namespace base
}  // namespace chunker
