#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/manifest.hpp"
#include "store/blob.hpp"

// The pack format (doc/format/pack.md).
namespace chunker::store {

inline constexpr std::uint64_t kPackMagicBytes = 8;
inline constexpr std::uint64_t kPackTrailerBytes = 56;
/// Several chunks share a frame up to this raw size; it bounds the cost of reading one of them.
inline constexpr std::uint64_t kSharedFrameBytesMax = 1 << 20;
inline constexpr std::size_t kNameBytesMax = 4096;
/// A frame, raw or compressed, is decoded into memory as a whole.
inline constexpr std::uint64_t kFrameBytesMax = kDecompressedBytesMax;
/// A directory is read into memory as a whole; this is more than seven million chunks.
inline constexpr std::uint64_t kDirectoryBytesMax = 256 << 20;
/// A flag of frames: needs its base to be decoded.
inline constexpr std::uint64_t kDeltaFrame = 1;
inline constexpr std::size_t kBaseChunksMax = 256;
/// Bases are plain when they are chosen. One that was lost and stored anew may be a delta itself, so readers go
/// this many steps; beyond, or in a circle, nobody can read a chunk.
inline constexpr unsigned kDeltaStepsMax = 4;
/// Sequences begin at 1; counting one on from the last does not wrap around.
inline constexpr std::uint64_t kSequenceMax = (1ULL << 63) - 1;

struct FrameRecord {
  std::uint64_t payload_bytes = 0;
  CodecId codec = CodecId::none;
  std::uint64_t flags = 0;
  std::vector<ChunkReference> chunks;
  /// Of a delta frame: the chunks that, one behind the other, are its base.
  std::vector<Digest> base{};

  [[nodiscard]] std::uint64_t raw_bytes() const noexcept;
  friend bool operator==(const FrameRecord&, const FrameRecord&) = default;
};

struct ManifestRecord {
  std::uint64_t payload_bytes = 0;
  Digest nar_sha256;
  std::uint64_t nar_bytes = 0;
  std::uint64_t chunk_count = 0;

  friend bool operator==(const ManifestRecord&, const ManifestRecord&) = default;
};

struct NameRecord {
  std::string name;
  Digest nar_sha256;
  std::uint64_t added_unix_seconds = 0;

  friend bool operator==(const NameRecord&, const NameRecord&) = default;
};

struct RemovalRecord {
  std::string name;

  friend bool operator==(const RemovalRecord&, const RemovalRecord&) = default;
};

using PackRecord = std::variant<FrameRecord, ManifestRecord, NameRecord, RemovalRecord>;

/// What a pack holds, in the order of its payloads.
struct PackDirectory {
  std::uint64_t sequence = 0;
  std::vector<PackRecord> records;

  friend bool operator==(const PackDirectory&, const PackDirectory&) = default;
};

/// The first eight bytes of every pack.
[[nodiscard]] Bytes pack_magic() noexcept;

/// Whether the format can hold this record: the bounds of doc/format/pack.md.
/// Errors: invalid_argument that says which bound; store_version for flags of a later version.
[[nodiscard]] Result<void> check_record(const PackRecord& record);

/// Bytes that a record takes in the directory.
[[nodiscard]] std::uint64_t directory_bytes(const PackRecord& record);

/// Directory and trailer as they end a pack whose payloads end at `payload_end` (an offset in the
/// pack). Every record passes check_record(), the payloads add up to `payload_end`, the sequence is
/// 1 to kSequenceMax and the directory at most kDirectoryBytesMax; anything else ends the process.
[[nodiscard]] ByteBuffer encode_pack_end(const PackDirectory& directory, std::uint64_t payload_end);

/// BLAKE3 of the encoded directory, which names the pack.
[[nodiscard]] Digest pack_digest(const PackDirectory& directory);

/// Bytes of payload that a record stands for; 0 for names and removals.
[[nodiscard]] std::uint64_t payload_bytes(const PackRecord& record) noexcept;

/// Decodes `encoded`, checking everything but the digest; `payload_end` is where the directory
/// begins.
/// Errors: store_corrupt with the offset in `encoded`; store_version for flags of a later version.
[[nodiscard]] Result<PackDirectory> decode_directory(Bytes encoded, std::uint64_t payload_end);

/// Reads and checks the directory of the pack under `key`, in three reads (magic, trailer,
/// directory), and that a pack of this directory belongs under this key.
/// Errors: store_not_found, store_corrupt with the offset in the blob, store_version, io_*; the key
/// is the context.
[[nodiscard]] Result<PackDirectory> read_pack_directory(BlobStore& blobs, std::string_view key,
                                                        std::uint64_t blob_bytes);

/// "packs/ab/abcd...": where a pack of this digest lies.
[[nodiscard]] std::string pack_key(const Digest& digest);
/// "chunks/ab/abcd...": where a chunk object lies (R13.6).
[[nodiscard]] std::string chunk_key(const Digest& digest);

}  // namespace chunker::store
