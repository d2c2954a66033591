#pragma once

#include <cstdint>
#include <string>

#include "chunker/error.hpp"
#include "chunker/manifest.hpp"
#include "store/blob.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_format.hpp"
#include "store/pack.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// The part of a manifest that is in its own record, which announces it and must not contradict it.
/// Errors: store_corrupt, those of `blobs`; the key is the context.
[[nodiscard]] Result<ManifestHead> read_manifest_head(BlobStore& blobs, const std::string& key,
                                                      std::uint64_t payload_offset,
                                                      const ManifestRecord& record);

/// The same of the NAR of this hash.
/// Errors: store_not_found if the store has no such NAR; store_chunk_missing, store_corrupt, io_*.
[[nodiscard]] Result<ManifestHead> read_manifest_head(Store::Parts& parts,
                                                      const Digest& nar_sha256);

/// Fetches pieces of manifests through `reader`.
[[nodiscard]] FetchPiece fetch_pieces(Store::Parts& parts, FrameReader& reader);

/// The chunk list alone.
[[nodiscard]] Result<std::vector<ChunkReference>> read_chunk_list(Store::Parts& parts,
                                                                  const ManifestHead& head);
/// The references alone.
[[nodiscard]] Result<References> read_references(Store::Parts& parts, const ManifestHead& head);
[[nodiscard]] Result<Manifest> read_manifest(Store::Parts& parts, const ManifestHead& head);
[[nodiscard]] Result<Manifest> read_manifest(Store::Parts& parts, const Digest& nar_sha256);

}  // namespace chunker::store
