#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/cpu_use.hpp"
#include "pipeline/memory_plan.hpp"
#include "store/index.hpp"

// What the parts of verify tell each other.
namespace chunker::pipeline {

/// What a check finds wrong, on its way to the caller.
/// Threads: shared.
class Findings {
 public:
  Findings(const VerifyOptions& options, const OnProblem& on_problem)
      : options_(options), on_problem_(on_problem) {}

  void problem(Error error);
  void note(const Error& error);
  [[nodiscard]] std::uint64_t problem_count() const;
  /// Errors: what keeps the check from being finished, a request to stop among them.
  [[nodiscard]] Result<void> go_on() const;

 private:
  const VerifyOptions& options_;
  const OnProblem& on_problem_;
  mutable base::Mutex mutex_;
  std::uint64_t problem_count_ CHUNKER_GUARDED_BY(mutex_) = 0;
  std::optional<Error> hindrance_ CHUNKER_GUARDED_BY(mutex_);
};

/// What is known of the packs once each was looked at.
struct CheckedPacks {
  std::vector<store::PackEntry> packs;  ///< In the index, there, and of the right size.
  std::unordered_map<store::PackNumber, std::string> missing;  ///< In the index, not there.
  /// Where the payloads of those end whose directory is sound.
  std::unordered_map<store::PackNumber, std::uint64_t> sound;
  std::unordered_set<store::PackNumber> unread_packs;  ///< Nobody knows whether they are damaged.
  std::vector<std::string> damaged_keys;               ///< Of blobs that hold damage; ascending.
  std::unordered_set<Digest> damaged;                  ///< Chunks, where the index finds them.
  std::unordered_set<Digest> unread;                   ///< Chunks of which nobody knows either.
  ErrorCode why_unread = ErrorCode::io_failed;         ///< What kept one of them from being read.
  std::unordered_set<Digest> spare;  ///< Good copies where the index does not look for them.
  VerifyReport report;               ///< As far as it counts what packs hold.
};

/// What checking has at its disposal.
struct VerifyMeans {
  ThreadsMemory memory;
  std::shared_ptr<CpuUse> cpu;  ///< Null if nothing is asked of it.

  [[nodiscard]] static Result<VerifyMeans> make(Store::Parts& parts, const VerifyOptions& options);
  /// Whether another item, a pack or a NAR, is to be begun.
  [[nodiscard]] bool is_time_left() const noexcept {
    return cpu == nullptr || cpu->check_limit().has_value();
  }
};

/// Every pack, as it lies there, against the directory listing, the index and its own directory.
[[nodiscard]] Result<CheckedPacks> check_packs(Store::Parts& parts, const VerifyOptions& options,
                                               const VerifyMeans& means, Findings& findings,
                                               const OnProgress& on_progress);

/// What the packs are needed for: the index, and every NAR, against what was found to be sound.
[[nodiscard]] Result<VerifyReport> check_use(Store::Parts& parts, const VerifyOptions& options,
                                             const VerifyMeans& means, Findings& findings,
                                             CheckedPacks packs);

}  // namespace chunker::pipeline
