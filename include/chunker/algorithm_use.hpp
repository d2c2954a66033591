#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chunker/algorithm.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// What one algorithm has done. Reports, JSON and traces have such counters under the algorithm's own names, so that
/// one that is registered is counted like the others (R21.5).
/// Owns:    the algorithm's names.
/// Threads: shared (a plain value).
/// Errors:  none.
/// Cost:    two short strings; counted once per frame or NAR, never per byte.
struct AlgorithmUse {
  AlgorithmInfo algorithm;
  std::uint64_t count = 0;      ///< Contents that it worked on: chunks, or NARs as a whole.
  std::uint64_t bytes_in = 0;   ///< Their size.
  std::uint64_t bytes_out = 0;  ///< What a codec made of them; of a hash the digests.

  friend bool operator==(const AlgorithmUse&, const AlgorithmUse&) = default;
};

template <>
inline constexpr Threads threads_of<AlgorithmUse> = Threads::shared;

/// Adds `more` to `uses`, which has one entry for each algorithm, as kinds and then names ascend.
void add_use(std::vector<AlgorithmUse>& uses, const AlgorithmUse& more);
void add_uses(std::vector<AlgorithmUse>& uses, std::span<const AlgorithmUse> more);

}  // namespace chunker
