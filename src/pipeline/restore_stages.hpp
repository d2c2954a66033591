#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "pipeline/nar_restore.hpp"

namespace chunker::pipeline {

/// The next NAR that is wanted, or nothing if there are no more. Called by one thread at a time.
using NextOrder = std::function<std::optional<NarOrder>()>;

/// Gives NARs back, up to `nars_max` of them under way at once: their frames are read, decoded and verified side by
/// side and written in each NAR's order. Several are better than one: a single NAR's SHA-256 waits for itself.
/// Returns when all have ended.
/// Threads: those of the TBB arena it is called in; many calls may share one.
/// Errors:  each NAR's go to its order; std::bad_alloc where not even a NAR can be begun.
/// Cost:    as many frames as RestoreMemory says, and what waits in NarHashes.
void restore_nars(const RestoreShared& shared, std::size_t nars_max, const NextOrder& next_order);

}  // namespace chunker::pipeline
