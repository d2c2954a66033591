#include "store/pack.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "base/check.hpp"
#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "store/field_reader.hpp"
#include "store/pack_record.hpp"

namespace chunker::store {
namespace {

using base::append_varint;
using base::fail;

constexpr std::string_view kMagic{"CKPACK\0\x01", kPackMagicBytes};
constexpr std::string_view kTrailerMagic = "CKPACKED";
constexpr std::size_t kVersionOffset = 7;

ByteBuffer encode_directory(const PackDirectory& directory) {
  CHUNKER_CHECK(directory.sequence >= 1 && directory.sequence <= kSequenceMax);
  ByteBuffer encoded;
  append_varint(encoded, directory.sequence);
  append_varint(encoded, directory.records.size());
  for (const PackRecord& record : directory.records) {
    CHUNKER_CHECK(check_record(record).has_value());
    append_record(encoded, record);
  }
  CHUNKER_CHECK(encoded.size() <= kDirectoryBytesMax);
  return encoded;
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

/// Everything behind the payloads.
Result<PackDirectory> read_end(BlobStore& blobs, std::string_view key, std::uint64_t blob_bytes) {
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

Result<PackDirectory> read_unnamed(BlobStore& blobs, std::string_view key,
                                   std::uint64_t blob_bytes) {
  if (blob_bytes < kPackMagicBytes + kPackTrailerBytes) {
    return fail(ErrorCode::store_corrupt, "too short for a pack", blob_bytes);
  }
  std::array<std::byte, kPackMagicBytes> magic;
  CHUNKER_TRY_VOID(blobs.read(key, 0, magic));
  const auto begun = check_magic(magic);
  if (!begun && begun.error().code != ErrorCode::store_version) {
    return std::unexpected(begun.error());
  }
  auto directory = read_end(blobs, key, blob_bytes);
  if (begun) return directory;
  if (!directory) return std::unexpected(begun.error());
  return fail(ErrorCode::store_corrupt, "the version of a pack is damaged", kVersionOffset);
}

std::string spread_key(std::string_view prefix, const Digest& digest) {
  const std::string hex = digest.hex();
  return std::string(prefix).append(hex, 0, 2).append("/").append(hex);
}

}  // namespace

Bytes pack_magic() noexcept { return bytes_of(kMagic); }

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
