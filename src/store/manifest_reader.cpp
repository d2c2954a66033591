#include "store/manifest_reader.hpp"

#include "base/try.hpp"

namespace chunker::store {

Result<ManifestHead> read_manifest_head(BlobStore& blobs, const std::string& key,
                                        std::uint64_t payload_offset,
                                        const ManifestRecord& record) {
  if (record.payload_bytes > kManifestBytesMax) {
    return base::fail(ErrorCode::store_corrupt, "the record of a manifest is impossible",
                      payload_offset, key);
  }
  ByteBuffer bytes(static_cast<std::size_t>(record.payload_bytes));
  CHUNKER_TRY_VOID(blobs.read(key, payload_offset, bytes.span()));
  auto head = decode_manifest_head(bytes);
  if (!head) return std::unexpected(std::move(head).error().within(key));
  if (head->nar_sha256 != record.nar_sha256 || head->nar_bytes != record.nar_bytes ||
      head->chunk_count != record.chunk_count) {
    return base::fail(ErrorCode::store_corrupt, "a manifest and its record contradict each other",
                      payload_offset, key);
  }
  return head;
}

Result<ManifestHead> read_manifest_head(Store::Parts& parts, const Digest& nar_sha256) {
  CHUNKER_TRY(const auto location, parts.index->manifest(nar_sha256));
  if (!location) {
    return base::fail(ErrorCode::store_not_found, "the store has no NAR of this hash",
                      Error::kNoOffset, nar_sha256.hex());
  }
  CHUNKER_TRY(const std::string key, parts.pack_key(location->pack));
  auto head = read_manifest_head(*parts.blobs, key, location->payload_offset,
                                 location->record_of(nar_sha256));
  // The NAR is there, and its pack is not.
  if (!head && head.error().code == ErrorCode::store_not_found) {
    head.error().code = ErrorCode::store_chunk_missing;
  }
  return head;
}

FetchPiece fetch_pieces(Store::Parts& parts, FrameReader& reader) {
  return [&parts, &reader](const Digest& digest, ByteBuffer& output) -> Result<void> {
    CHUNKER_TRY(const ChunkLocation location, parts.locate(digest));
    CHUNKER_TRY(const Bytes bytes, reader.read(digest, location));
    output.append(bytes);
    return {};
  };
}

Result<std::vector<ChunkReference>> read_chunk_list(Store::Parts& parts, const ManifestHead& head) {
  FrameReader reader(parts);
  return decode_chunk_list(head, fetch_pieces(parts, reader));
}

Result<References> read_references(Store::Parts& parts, const ManifestHead& head) {
  FrameReader reader(parts);
  return decode_reference_lists(head, fetch_pieces(parts, reader));
}

Result<Manifest> read_manifest(Store::Parts& parts, const ManifestHead& head) {
  FrameReader reader(parts);
  return decode_manifest(head, fetch_pieces(parts, reader));
}

Result<Manifest> read_manifest(Store::Parts& parts, const Digest& nar_sha256) {
  CHUNKER_TRY(const ManifestHead head, read_manifest_head(parts, nar_sha256));
  return read_manifest(parts, head);
}

}  // namespace chunker::store
