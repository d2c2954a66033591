#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "pipeline/nar_ingest.hpp"

namespace chunker::pipeline {

/// The next NAR to take in, or nothing if there is none now. Called by one thread at a time.
using NextIngest = std::function<std::optional<IngestOrder>()>;

/// Takes NARs in, up to `nars_max` of them under way at once: read and cut in each NAR's order, their chunks stored
/// side by side. Several are better than one: a single NAR's SHA-256 waits for itself. What may keep its reader
/// waiting, a pipe, has nobody beside it. Returns when all have ended.
/// Threads: those of the TBB arena it is called in; many calls may share one.
/// Errors:  each NAR's go to its order; std::bad_alloc where not even a NAR can be begun.
/// Cost:    two slabs per thread, and what waits in NarHashes.
void ingest_nars(const IngestShared& shared, std::size_t nars_max, const NextIngest& next_order);

}  // namespace chunker::pipeline
