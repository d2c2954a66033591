#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/manifest.hpp"

// The manifest format (doc/format/manifest.md).
namespace chunker::store {

inline constexpr std::size_t kPartInlineBytesMax = 128;
/// Of hash lists: no two rebuilds share one, so a piece of its own would only cost a place in the index.
inline constexpr std::size_t kHashListInlineBytesMax = 16 * 1024;
inline constexpr std::size_t kPartPieceBytes = 256 * 1024;
/// A part is put together in memory; this is 30 million chunks, or as many entries.
inline constexpr std::uint64_t kPartBytesMax = 1 << 30;
/// What a manifest's own bytes come to at most: four parts of kPartBytesMax name 512 KiB of pieces.
inline constexpr std::uint64_t kManifestBytesMax = 1 << 20;
/// No file is larger on any system that Nix runs on.
inline constexpr std::uint64_t kNarBytesMax = (1ULL << 63) - 1;

/// A manifest ready to be stored: its own bytes, and the pieces of its large parts, to be kept like
/// chunks.
struct EncodedManifest {
  struct Piece {
    Digest digest;
    ByteBuffer bytes;
  };
  ByteBuffer bytes;
  std::vector<Piece> pieces;
};

/// Encodes `manifest`; pieces are named by `hash`.
/// Errors: invalid_argument for what the format cannot hold: chunk sizes that do not add up to
/// nar_bytes, entries that are no archive's (doc/format/manifest.md), references that are no NAR's, parts
/// beyond kPartBytesMax.
[[nodiscard]] Result<EncodedManifest> encode_manifest(const Manifest& manifest,
                                                      const HashAlgorithm& hash);

/// The part of a manifest that is in its own bytes: everything but what its pieces hold.
struct ManifestHead {
  struct Part {
    std::uint64_t raw_bytes = 0;
    ByteBuffer inline_bytes;
    std::vector<Digest> pieces;
  };
  Digest nar_sha256;
  std::uint64_t nar_bytes = 0;
  Recipe recipe;
  std::uint64_t chunk_count = 0;
  std::uint64_t entry_count = 0;
  Part chunk_list;
  Part entry_table;
  /// Empty if there are no references.
  Part hash_list;
  Part position_list;

  /// The digests of all pieces of all parts.
  [[nodiscard]] std::vector<Digest> pieces() const;
};

/// Errors: store_corrupt with the offset, store_version.
[[nodiscard]] Result<ManifestHead> decode_manifest_head(Bytes bytes);

/// Fetches one piece: appends the verified bytes of the chunk with this digest.
using FetchPiece = std::function<Result<void>(const Digest&, ByteBuffer& output)>;

/// The chunk list alone: what gc needs.
[[nodiscard]] Result<std::vector<ChunkReference>> decode_chunk_list(const ManifestHead& head,
                                                                    const FetchPiece& fetch);
/// The references alone; with the chunk list all that restoring needs.
[[nodiscard]] Result<References> decode_reference_lists(const ManifestHead& head,
                                                        const FetchPiece& fetch);
/// The whole manifest. Errors: those of `fetch`; store_corrupt if the parts contradict the head.
[[nodiscard]] Result<Manifest> decode_manifest(const ManifestHead& head, const FetchPiece& fetch);

}  // namespace chunker::store
