#pragma once

#include <filesystem>
#include <functional>

#include "chunker/error.hpp"
#include "chunker/store.hpp"
#include "store/blob.hpp"
#include "store/index.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Brings the index of a store that was opened for writing in step with the packs that are there: packs
/// that a crash kept from the index are added, packs that are gone or cut short are forgotten, so that
/// writers store their chunks again. Cost: one listing of the packs.
[[nodiscard]] Result<void> reconcile(Store::Parts& parts);

/// Adds every readable pack of `blobs` to the empty `index`, in order of sequence.
[[nodiscard]] Result<RebuildReport> index_all_packs(BlobStore& blobs, Index& index,
                                                    const OnProblem& on_problem);

/// Makes the index in `directory` anew, beside the old one, and puts it in its place when complete.
[[nodiscard]] Result<RebuildReport> replace_index(BlobStore& blobs,
                                                  const std::filesystem::path& directory,
                                                  const OnProblem& on_problem);

}  // namespace chunker::store
