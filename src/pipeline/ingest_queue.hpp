#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/ingest.hpp"

namespace chunker::pipeline {

/// Which NAR is taken in next: the first version of every package, then every second one, and so on, and none while
/// another of its package is on its way. A delta needs a base that is durable, and by then that has mostly happened
/// by itself.
/// Owns:    where each source stands.
/// Threads: shared.
/// Errors:  std::bad_alloc from the constructor.
/// Cost:    64 bytes a source, and the packages' names; a short lock per call.
class IngestQueue {
 public:
  explicit IngestQueue(std::span<const IngestSource> sources);

  /// How many sources there were at first.
  [[nodiscard]] std::size_t size() const noexcept { return package_of_.size(); }
  /// The most descriptors that one of them takes.
  [[nodiscard]] std::size_t descriptors_each() const noexcept { return descriptors_each_; }

  /// The number of a source, which is then on its way; nothing if none is left, or if all that are left wait for
  /// one that is.
  [[nodiscard]] std::optional<std::size_t> next();
  /// The source is on its way no longer: others of its package may go. To be called once for each.
  void end(std::size_t source);
  /// Whether next() would give nothing. What waits then is for whoever calls end() for what it waits for.
  [[nodiscard]] bool is_empty_for_now();

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  struct Package {
    bool is_on_its_way = false;
    std::list<std::size_t> held_back;
  };

  void hold_back_what_must_wait() CHUNKER_REQUIRES(mutex_);

  std::size_t descriptors_each_ = 1;
  base::Mutex mutex_;
  std::vector<std::size_t> package_of_;  ///< Of each source; kNone where the name tells none.
  std::vector<Package> packages_ CHUNKER_GUARDED_BY(mutex_);
  std::deque<std::size_t> waiting_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
