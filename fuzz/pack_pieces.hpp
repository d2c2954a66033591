#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "store/blob_local.hpp"
#include "store/pack.hpp"

// Packs taken apart and put together again, so that what is changed in between has right checksums.
namespace chunker::fuzz {

/// A record and the bytes that it stands for.
struct Piece {
  store::PackRecord record;
  std::string payload;
};

struct Pack {
  std::string key;
  std::uint64_t sequence = 0;
  std::vector<Piece> pieces;
};

inline Pack read_pack(store::BlobStore& blobs, const store::BlobStore::Listed& blob) {
  const auto directory = store::read_pack_directory(blobs, blob.key, blob.size_bytes);
  CHUNKER_CHECK(directory.has_value());
  Pack pack{blob.key, directory->sequence, {}};
  std::uint64_t offset = store::kPackMagicBytes;
  for (const store::PackRecord& record : directory->records) {
    std::string payload(store::payload_bytes(record), '\0');
    const auto bytes = std::as_writable_bytes(std::span(payload));
    CHUNKER_CHECK(blobs.read(blob.key, offset, bytes).has_value());
    offset += payload.size();
    pack.pieces.push_back({record, std::move(payload)});
  }
  return pack;
}

/// In the order in which they were written: keys depend on the time.
inline std::vector<Pack> read_packs(store::BlobStore& blobs) {
  std::vector<Pack> packs;
  const auto read = [&](const store::BlobStore::Listed& blob) -> Result<void> {
    packs.push_back(read_pack(blobs, blob));
    return {};
  };
  CHUNKER_CHECK(blobs.list("packs/", read).has_value());
  std::ranges::sort(packs, {}, &Pack::sequence);
  return packs;
}

/// The record for this payload; of a name or removal, which have none, as it is.
inline store::PackRecord with_payload(const Piece& piece) {
  store::PackRecord record = piece.record;
  if (auto* frame = std::get_if<store::FrameRecord>(&record)) {
    frame->payload_bytes = piece.payload.size();
  } else if (auto* manifest = std::get_if<store::ManifestRecord>(&record)) {
    manifest->payload_bytes = piece.payload.size();
  }
  return record;
}

/// Under the key that its directory then gives it, without the pieces that the format has no room for.
inline void write_pack(store::BlobStore& blobs, Pack& pack) {
  store::PackDirectory directory{pack.sequence, {}};
  ByteBuffer bytes(store::pack_magic());
  for (const Piece& piece : pack.pieces) {
    store::PackRecord record = with_payload(piece);
    if (!store::check_record(record)) continue;
    if (store::payload_bytes(record) != 0) bytes.append(bytes_of(piece.payload));
    directory.records.push_back(std::move(record));
  }
  bytes.append(store::encode_pack_end(directory, bytes.size()));
  pack.key = store::pack_key(store::pack_digest(directory));
  auto writer = blobs.create();
  CHUNKER_CHECK(writer && (*writer)->append(bytes) && (*writer)->commit(pack.key));
}

}  // namespace chunker::fuzz
