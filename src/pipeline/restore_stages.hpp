#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "pipeline/nar_restore.hpp"

namespace chunker::pipeline {

/// The next NAR that is wanted, or nothing if there are no more. Called by any thread.
using NextOrder = std::function<std::optional<NarOrder>()>;

/// Gives `nar_count` NARs back, several at once: their frames are read, decoded and verified side by side and written
/// in each NAR's order. Several are better than one: a single NAR's SHA-256 waits for itself. Returns when all have
/// ended.
/// Errors:  each NAR's go to its order; std::bad_alloc where not even a NAR can be begun.
/// Cost:    three frames per thread, and what waits in NarHashes; a few hundred open files at most.
void restore_nars(const RestoreShared& shared, std::size_t nar_count, const NextOrder& next_order);

}  // namespace chunker::pipeline
