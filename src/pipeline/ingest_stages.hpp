#pragma once

#include <cstddef>
#include <functional>

#include "pipeline/ingest_queue.hpp"
#include "pipeline/nar_ingest.hpp"

namespace chunker::pipeline {

/// What is to be done with the source of this number in the queue.
using OrderOf = std::function<IngestOrder(std::size_t source)>;

/// Takes the NARs of a queue in, several at once on each thread: read and cut in each NAR's order, their chunks stored
/// side by side. Several are better than one: a single NAR's SHA-256 waits for itself. What may keep its reader
/// waiting, a pipe, has nobody beside it. Returns when all have ended.
/// Threads: shared.threads; the caller's is one of them.
/// Errors:  each NAR's go to its order; std::bad_alloc where not even a NAR can be begun.
/// Cost:    two slabs per thread, what each NAR has left over between two slabs, and what waits in NarHashes.
void ingest_nars(const IngestShared& shared, IngestQueue& queue, const OrderOf& order_of);

}  // namespace chunker::pipeline
