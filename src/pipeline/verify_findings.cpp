#include "pipeline/verify_findings.hpp"

#include <utility>

#include "base/try.hpp"
#include "store/salvage.hpp"

namespace chunker::pipeline {

void Findings::problem(Error error) {
  const base::Lock lock(mutex_);
  // What may be gone later says nothing about the store: no descriptor left, no memory. Nor does what the caller's
  // functions throw.
  bool hinders = retry(error.code) != Retry::never || error.code == ErrorCode::internal;
  // A repair must know all that is damaged; what cannot be read may be good.
  hinders |=
      options_.repair && error.code != ErrorCode::store_not_found && !store::is_damage(error.code);
  if (hinders) {
    if (!hindrance_) hindrance_ = std::move(error);
    return;
  }
  ++problem_count_;
  if (on_problem_) on_problem_(error);
}

void Findings::note(const Error& error) {
  const base::Lock lock(mutex_);
  if (options_.on_note) options_.on_note(error);
}

std::uint64_t Findings::problem_count() const {
  const base::Lock lock(mutex_);
  return problem_count_;
}

Result<void> Findings::go_on() const {
  if (options_.stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
  const base::Lock lock(mutex_);
  if (hindrance_) return std::unexpected(*hindrance_);
  return {};
}

}  // namespace chunker::pipeline
