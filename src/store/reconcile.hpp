#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "chunker/error.hpp"
#include "chunker/store.hpp"
#include "store/blob.hpp"
#include "store/index.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Brings the index of a store that was opened for writing in step with the packs that are there: packs
/// that a crash kept from the index are added; of packs that are gone or cut short what can still be read is
/// salvaged, what another pack has, too, is found there from then on, and the rest is forgotten, so that writers
/// store it again.
/// Cost: one listing of the packs and one look-up for each; memory only for those that differ.
[[nodiscard]] Result<void> reconcile(Store::Parts& parts);

/// Forgets packs that are gone or about to go, what is still located in them, and deltas whose base goes.
/// Repeating it after a crash completes it.
[[nodiscard]] Result<void> forget_packs(BlobStore& blobs, Index& index,
                                        std::span<const std::string> keys);

/// The packs that the index knows and that are not there, or not with their size; `there_count` are. Cost:
/// nothing but a scan if none is missing.
[[nodiscard]] Result<std::vector<std::string>> missing_packs(BlobStore& blobs, const Index& index,
                                                             std::uint64_t there_count);

/// Adds every readable pack of `blobs` to the empty `index`, in order of sequence. Manifests without a name stay until
/// Index::forget_nameless(): what an old index knows may name them. Cost: reads every
/// directory twice; memory of about 150 bytes per pack or chunk object.
[[nodiscard]] Result<RebuildReport> index_all_packs(BlobStore& blobs, Index& index,
                                                    const OnProblem& on_problem);

/// Where the index that shall replace the one in `directory` is made.
[[nodiscard]] std::filesystem::path fresh_index(const std::filesystem::path& directory);
[[nodiscard]] Result<RebuildReport> make_fresh_index(BlobStore& blobs,
                                                     const std::filesystem::path& directory,
                                                     const OnProblem& on_problem);
/// Nobody may have either open.
[[nodiscard]] Result<void> put_fresh_index_in_place(const std::filesystem::path& directory);
/// Both in one.
[[nodiscard]] Result<void> replace_index(BlobStore& blobs, const std::filesystem::path& directory);
/// Removes what was left of an index that was being replaced when the process was killed. Only beside an index in its
/// place, and for the one who holds the writer's lock.
void remove_leftover_indexes(const std::filesystem::path& directory);

}  // namespace chunker::store
