#pragma once

#include <unordered_set>

#include "chunker/error.hpp"
#include "store/blob.hpp"
#include "store/index.hpp"

namespace chunker::store {

/// Lets the index find chunks and manifests that it has only in packs that are `going` in another pack, if one has
/// them, too: what was cut off while it copied may have left two of them. Whether they are intact shows when they are
/// read.
/// Errors:  store_corrupt, io_*. A pack that is damaged is passed over.
/// Cost:    a scan of the index; if it has anything in packs that go, a pass over all pack directories.
[[nodiscard]] Result<void> use_second_copies(BlobStore& blobs, Index& index,
                                             const std::unordered_set<PackNumber>& going);

}  // namespace chunker::store
