#include "store/pack.hpp"

#include <limits>
#include <string_view>

#include "base/check.hpp"
#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "store/field_reader.hpp"
#include "store/manifest_format.hpp"

namespace chunker::store {
namespace {

using base::append_varint;
using base::fail;

constexpr std::string_view kMagic{"CKPACK\0\x01", kPackMagicBytes};
constexpr std::string_view kTrailerMagic = "CKPACKED";
constexpr std::size_t kVersionOffset = 7;

// The alternatives of PackRecord, in their order there; on disk, so never renumbered.
enum class Kind : std::uint8_t { frame = 1, manifest = 2, name = 3, removal = 4 };

constexpr std::size_t kRecordBytesMin = 3;  // A removal: kind, length, one character.
constexpr std::size_t kChunkBytesMin = Digest::kBytes + 1;

// What is wrong with a record; empty if nothing is. One truth for writers and readers.

std::string_view fault_of(const FrameRecord& frame) noexcept {
  if (frame.chunks.empty()) return "a frame holds no chunk";
  std::uint64_t raw_bytes = 0;
  for (const ChunkReference& chunk : frame.chunks) {
    if (chunk.size_bytes == 0 || chunk.size_bytes > kFrameBytesMax) {
      return "a chunk is empty or larger than 1 GiB";
    }
    raw_bytes += chunk.size_bytes;
    if (frame.chunks.size() > 1 && raw_bytes > kSharedFrameBytesMax) {
      return "a frame of several chunks is larger than 1 MiB";
    }
  }
  if (frame.payload_bytes == 0 || frame.payload_bytes > kFrameBytesMax) {
    return "a frame's payload is empty or larger than 1 GiB";
  }
  if (frame.codec == CodecId::none && frame.payload_bytes != raw_bytes) {
    return "an uncompressed frame has another size than its chunks";
  }
  return {};
}

std::string_view fault_of(const ManifestRecord& manifest) noexcept {
  if (manifest.payload_bytes == 0 || manifest.payload_bytes > kManifestBytesMax) {
    return "a manifest is empty or larger than 1 MiB";
  }
  if (manifest.nar_bytes > kNarBytesMax) return "a NAR is larger than any file";
  if (manifest.chunk_count > manifest.nar_bytes ||
      (manifest.chunk_count == 0) != (manifest.nar_bytes == 0)) {
    return "a NAR of this size cannot have this number of chunks";
  }
  return {};
}

std::string_view fault_of_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kNameBytesMax)
    return "a name is empty or longer than 4096 bytes";
  if (name.contains('\0')) return "a name contains a NUL";
  return {};
}

std::string_view fault_of(const NameRecord& record) noexcept { return fault_of_name(record.name); }
std::string_view fault_of(const RemovalRecord& record) noexcept {
  return fault_of_name(record.name);
}

void append(ByteBuffer& to, const FrameRecord& frame) {
  append_varint(to, frame.payload_bytes);
  append_varint(to, static_cast<std::uint16_t>(frame.codec));
  append_varint(to, frame.flags);
  append_varint(to, frame.chunks.size());
  for (const ChunkReference& chunk : frame.chunks) {
    to.append(chunk.digest.view());
    append_varint(to, chunk.size_bytes);
  }
}

void append(ByteBuffer& to, const ManifestRecord& manifest) {
  append_varint(to, manifest.payload_bytes);
  to.append(manifest.nar_sha256.view());
  append_varint(to, manifest.nar_bytes);
  append_varint(to, manifest.chunk_count);
}

void append_name(ByteBuffer& to, std::string_view name) {
  append_varint(to, name.size());
  to.append(bytes_of(name));
}

void append(ByteBuffer& to, const NameRecord& record) {
  append_name(to, record.name);
  to.append(record.nar_sha256.view());
  append_varint(to, record.added_unix_seconds);
}

void append(ByteBuffer& to, const RemovalRecord& record) { append_name(to, record.name); }

void append(ByteBuffer& to, const PackRecord& record) {
  base::append_le(to, static_cast<std::uint8_t>(record.index() + 1));
  std::visit([&](const auto& alternative) { append(to, alternative); }, record);
}

ByteBuffer encode_directory(const PackDirectory& directory) {
  CHUNKER_CHECK(directory.sequence >= 1 && directory.sequence <= kSequenceMax);
  ByteBuffer encoded;
  append_varint(encoded, directory.sequence);
  append_varint(encoded, directory.records.size());
  for (const PackRecord& record : directory.records) {
    CHUNKER_CHECK(check_record(record).has_value());
    append(encoded, record);
  }
  CHUNKER_CHECK(encoded.size() <= kDirectoryBytesMax);
  return encoded;
}

Result<FrameRecord> read_frame(FieldReader& reader) {
  FrameRecord frame;
  CHUNKER_TRY(frame.payload_bytes, reader.varint("a frame's size is cut off or malformed"));
  constexpr auto kCodecMax = std::numeric_limits<std::uint16_t>::max();
  CHUNKER_TRY(const auto codec, reader.varint_at_most(kCodecMax, "a frame's codec is impossible"));
  frame.codec = CodecId{codec};
  CHUNKER_TRY(frame.flags, reader.varint("a frame's flags are cut off or malformed"));
  if (frame.flags != 0) {
    return fail(ErrorCode::store_version, "a frame has flags of a later version", reader.offset());
  }
  CHUNKER_TRY(const auto count, reader.count(kChunkBytesMin, "a frame has more chunks than bytes"));
  frame.chunks.resize(count);
  for (ChunkReference& chunk : frame.chunks) {
    CHUNKER_TRY(chunk.digest, reader.digest("a chunk's digest is cut off"));
    CHUNKER_TRY(chunk.size_bytes, reader.varint("a chunk's size is cut off or malformed"));
  }
  return frame;
}

Result<ManifestRecord> read_manifest(FieldReader& reader) {
  ManifestRecord manifest;
  CHUNKER_TRY(manifest.payload_bytes, reader.varint("a manifest's size is cut off or malformed"));
  CHUNKER_TRY(manifest.nar_sha256, reader.digest("a NAR's digest is cut off"));
  CHUNKER_TRY(manifest.nar_bytes, reader.varint("a NAR's size is cut off or malformed"));
  CHUNKER_TRY(manifest.chunk_count, reader.varint("a NAR's chunk count is cut off or malformed"));
  return manifest;
}

Result<std::string> read_text(FieldReader& reader) {
  CHUNKER_TRY(const std::size_t size, reader.count(1, "a name is cut off or malformed"));
  CHUNKER_TRY(const Bytes bytes, reader.bytes(size, "a name is cut off"));
  return std::string(text_of(bytes));
}

Result<NameRecord> read_name(FieldReader& reader) {
  NameRecord record;
  CHUNKER_TRY(record.name, read_text(reader));
  CHUNKER_TRY(record.nar_sha256, reader.digest("a name's digest is cut off"));
  CHUNKER_TRY(record.added_unix_seconds, reader.varint("a name's time is cut off or malformed"));
  return record;
}

Result<RemovalRecord> read_removal(FieldReader& reader) {
  RemovalRecord record;
  CHUNKER_TRY(record.name, read_text(reader));
  return record;
}

Result<PackRecord> read_record(FieldReader& reader) {
  const std::size_t begin = reader.offset();
  CHUNKER_TRY(const std::uint64_t kind, reader.varint("a record's kind is cut off"));
  const auto checked = [&](auto read) -> Result<PackRecord> {
    CHUNKER_TRY(auto record, read(reader));
    if (const auto fault = fault_of(record); !fault.empty()) {
      return fail(ErrorCode::store_corrupt, fault, begin);
    }
    return PackRecord(std::move(record));
  };
  switch (kind) {
    case static_cast<std::uint64_t>(Kind::frame):
      return checked(read_frame);
    case static_cast<std::uint64_t>(Kind::manifest):
      return checked(read_manifest);
    case static_cast<std::uint64_t>(Kind::name):
      return checked(read_name);
    case static_cast<std::uint64_t>(Kind::removal):
      return checked(read_removal);
  }
  return fail(ErrorCode::store_corrupt, "a record is of no known kind", begin);
}

struct Trailer {
  std::uint64_t directory_offset = 0;
  std::uint64_t directory_bytes = 0;
  Digest directory_digest;
};

Result<void> check_magic(Bytes magic) {
  const std::string_view text = text_of(magic);
  if (!text.starts_with(kMagic.substr(0, kVersionOffset))) {
    return fail(ErrorCode::store_corrupt, "this is not a pack", 0);
  }
  if (text != kMagic) {
    return fail(ErrorCode::store_version, "a pack of another version", kVersionOffset);
  }
  return {};
}

Result<Trailer> decode_trailer(Bytes bytes, std::uint64_t trailer_offset) {
  base::WireReader reader(bytes);
  Trailer trailer;
  trailer.directory_offset = *reader.le<std::uint64_t>();
  trailer.directory_bytes = *reader.le<std::uint64_t>();
  std::memcpy(trailer.directory_digest.bytes.data(), reader.bytes(Digest::kBytes)->data(),
              Digest::kBytes);
  if (text_of(reader.rest()) != kTrailerMagic) {
    return fail(ErrorCode::store_corrupt, "a pack does not end like one", trailer_offset);
  }
  if (trailer.directory_offset < kPackMagicBytes || trailer.directory_offset > trailer_offset ||
      trailer.directory_bytes != trailer_offset - trailer.directory_offset) {
    return fail(ErrorCode::store_corrupt,
                "a pack's directory does not end where the trailer begins", trailer_offset);
  }
  if (trailer.directory_bytes > kDirectoryBytesMax) {
    return fail(ErrorCode::store_corrupt, "a pack's directory is larger than 256 MiB",
                trailer_offset);
  }
  return trailer;
}

bool belongs_under(std::string_view key, const Digest& digest, const PackDirectory& directory) {
  if (key == pack_key(digest)) return true;
  if (directory.records.size() != 1) return false;
  const auto* frame = std::get_if<FrameRecord>(&directory.records.front());
  return frame != nullptr && frame->chunks.size() == 1 &&
         key == chunk_key(frame->chunks.front().digest);
}

Result<PackDirectory> read_unnamed(BlobStore& blobs, std::string_view key,
                                   std::uint64_t blob_bytes) {
  if (blob_bytes < kPackMagicBytes + kPackTrailerBytes) {
    return fail(ErrorCode::store_corrupt, "too short for a pack", blob_bytes);
  }
  std::array<std::byte, kPackMagicBytes> magic;
  CHUNKER_TRY_VOID(blobs.read(key, 0, magic));
  CHUNKER_TRY_VOID(check_magic(magic));
  std::array<std::byte, kPackTrailerBytes> end;
  const std::uint64_t trailer_offset = blob_bytes - kPackTrailerBytes;
  CHUNKER_TRY_VOID(blobs.read(key, trailer_offset, end));
  CHUNKER_TRY(const Trailer trailer, decode_trailer(end, trailer_offset));
  ByteBuffer encoded(static_cast<std::size_t>(trailer.directory_bytes));
  CHUNKER_TRY_VOID(blobs.read(key, trailer.directory_offset, encoded.span()));
  if (HashAlgorithm::blake3().hash(encoded) != trailer.directory_digest) {
    return fail(ErrorCode::store_corrupt, "a pack's directory does not hash to its digest",
                trailer.directory_offset);
  }
  auto directory = decode_directory(encoded, trailer.directory_offset);
  if (!directory) {
    Error error = std::move(directory).error();
    error.offset_bytes += trailer.directory_offset;
    return std::unexpected(std::move(error));
  }
  if (!belongs_under(key, trailer.directory_digest, *directory)) {
    return fail(ErrorCode::store_corrupt, "a pack lies under another pack's key");
  }
  return directory;
}

std::string spread_key(std::string_view prefix, const Digest& digest) {
  const std::string hex = digest.hex();
  return std::string(prefix).append(hex, 0, 2).append("/").append(hex);
}

}  // namespace

std::uint64_t FrameRecord::raw_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const ChunkReference& chunk : chunks) sum += chunk.size_bytes;
  return sum;
}

Bytes pack_magic() noexcept { return bytes_of(kMagic); }

Result<void> check_record(const PackRecord& record) {
  const auto fault = std::visit([](const auto& kind) { return fault_of(kind); }, record);
  if (!fault.empty()) return fail(ErrorCode::invalid_argument, fault);
  const auto* frame = std::get_if<FrameRecord>(&record);
  if (frame != nullptr && frame->flags != 0) {
    return fail(ErrorCode::store_version, "a frame has flags of a later version");
  }
  return {};
}

std::uint64_t directory_bytes(const PackRecord& record) {
  ByteBuffer encoded;
  append(encoded, record);
  return encoded.size();
}

ByteBuffer encode_pack_end(const PackDirectory& directory, std::uint64_t payload_end) {
  std::uint64_t expected_end = kPackMagicBytes;
  for (const PackRecord& record : directory.records) expected_end += payload_bytes(record);
  CHUNKER_CHECK(payload_end == expected_end);
  ByteBuffer end = encode_directory(directory);
  const std::uint64_t directory_size = end.size();
  const Digest digest = HashAlgorithm::blake3().hash(end);
  base::append_le(end, payload_end);
  base::append_le(end, directory_size);
  end.append(digest.view());
  end.append(bytes_of(kTrailerMagic));
  return end;
}

Digest pack_digest(const PackDirectory& directory) {
  return HashAlgorithm::blake3().hash(encode_directory(directory));
}

std::uint64_t payload_bytes(const PackRecord& record) noexcept {
  if (const auto* frame = std::get_if<FrameRecord>(&record)) return frame->payload_bytes;
  if (const auto* manifest = std::get_if<ManifestRecord>(&record)) return manifest->payload_bytes;
  return 0;
}

Result<PackDirectory> decode_directory(Bytes encoded, std::uint64_t payload_end) {
  FieldReader reader(encoded);
  PackDirectory directory;
  CHUNKER_TRY(directory.sequence,
              reader.varint_at_most(kSequenceMax, "a pack's sequence is impossible"));
  if (directory.sequence == 0) return fail(ErrorCode::store_corrupt, "a pack's sequence is 0", 0);
  CHUNKER_TRY(const auto count,
              reader.count(kRecordBytesMin, "a pack has more records than bytes"));
  directory.records.reserve(count);
  std::uint64_t offset = kPackMagicBytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = reader.offset();
    CHUNKER_TRY(PackRecord record, read_record(reader));
    offset += payload_bytes(record);
    if (offset > payload_end) {
      return fail(ErrorCode::store_corrupt, "payloads reach into the directory", begin);
    }
    directory.records.push_back(std::move(record));
  }
  CHUNKER_TRY_VOID(reader.end("bytes follow a pack's last record"));
  if (offset != payload_end) {
    return fail(ErrorCode::store_corrupt, "payloads end before the directory begins", 0);
  }
  return directory;
}

Result<PackDirectory> read_pack_directory(BlobStore& blobs, std::string_view key,
                                          std::uint64_t blob_bytes) {
  auto directory = read_unnamed(blobs, key, blob_bytes);
  if (!directory && directory.error().context.empty()) directory.error().context = key;
  return directory;
}

std::string pack_key(const Digest& digest) { return spread_key("packs/", digest); }
std::string chunk_key(const Digest& digest) { return spread_key("chunks/", digest); }

}  // namespace chunker::store
