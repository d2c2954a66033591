#pragma once

#include <cstdint>
#include <unordered_set>

#include "chunker/error.hpp"
#include "store/blob.hpp"
#include "store/index.hpp"

namespace chunker::store {

/// Forgets the chunks of delta frames whose base the index does not have, has only in one of the packs that are
/// `going`, or reaches by more than kDeltaStepsMax steps: nobody can read them, and as long as the index has them
/// nobody would store them again. Those in packs that go are forgotten, too.
/// Errors:  store_corrupt, io_*. A pack that cannot be read is passed over.
/// Cost:    one pass over all pack directories, two if any chunk is forgotten.
[[nodiscard]] Result<void> forget_baseless(BlobStore& blobs, Index& index,
                                           const std::unordered_set<PackNumber>& going);

}  // namespace chunker::store
