#include "store/index_format.hpp"

#include <initializer_list>
#include <limits>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "delta/package_name.hpp"
#include "store/field_reader.hpp"

namespace chunker::store::index_format {

using base::fail;

namespace {

constexpr std::string_view kMalformed =
    "an entry of the index is malformed; run chunker rebuild-index";
constexpr PackNumber kPackNumberMax = std::numeric_limits<PackNumber>::max();
constexpr std::uint16_t kCodecMax = std::numeric_limits<std::uint16_t>::max();

// Among a billion chunks one feature in 70,000 means a wrong one, and one chunk in 300,000 has another's name.
constexpr unsigned kFeatureKeyBytes = 6;
constexpr std::size_t kFeatureValueBytes = 6;

std::string key_of(char letter, std::string_view rest) {
  std::string key;
  key.reserve(1 + rest.size());
  key.push_back(letter);
  return key.append(rest);
}

std::string varints(std::initializer_list<std::uint64_t> values) {
  ByteBuffer bytes;
  for (const std::uint64_t value : values) base::append_varint(bytes, value);
  return std::string(text_of(bytes));
}

// Reads varints into the fields, in order; nothing may follow.
Result<void> read_varints(FieldReader& reader, std::initializer_list<std::uint64_t*> fields) {
  for (std::uint64_t* field : fields) {
    CHUNKER_TRY(*field, reader.varint(kMalformed));
  }
  return reader.end(kMalformed);
}

bool is_alone(const ChunkLocation& location) noexcept {
  return location.offset_in_frame == 0 && location.frame_raw_bytes == location.chunk_bytes;
}

}  // namespace

std::string setting_key(std::string_view setting) { return key_of('S', setting); }
std::string pack_key(std::string_view blob_key) { return key_of('P', blob_key); }
std::string chunk_key(const Digest& digest) { return key_of('C', text_of(digest.view())); }
std::string manifest_key(const Digest& nar_sha256) {
  return key_of('M', text_of(nar_sha256.view()));
}
std::string name_key(std::string_view name) { return key_of('N', name); }

std::vector<std::string> version_keys(std::string_view name) {
  std::vector<std::string> keys{key_of('W', delta::name_shape(name))};
  if (const auto package = delta::package_name(name); !package.empty()) {
    keys.push_back(key_of('V', package));
  }
  return keys;
}

std::vector<std::string> feature_keys(const delta::Features& features) {
  std::vector<std::string> keys;
  for (const std::uint64_t value : features.values) {
    std::string& key = keys.emplace_back(kFeaturePrefix);
    for (unsigned i = 0; i < kFeatureKeyBytes; ++i) {
      key.push_back(static_cast<char>((value >> (56 - 8 * i)) & 0xFFU));
    }
  }
  return keys;
}

std::string feature_value(const Digest& digest) {
  return std::string(text_of(digest.view()).substr(0, kFeatureValueBytes));
}

std::string chunk_prefix(std::string_view feature_value) { return key_of('C', feature_value); }

std::string pack_number_key(PackNumber number) {
  std::string key = "Q";
  for (int shift = 24; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>((number >> shift) & 0xFFU));
  }
  return key;
}

std::string nar_name_key(const Digest& nar_sha256, std::string_view name) {
  return key_of('H', text_of(nar_sha256.view())).append(name);
}

Result<Digest> decode_digest(std::string_view text) {
  FieldReader reader(bytes_of(text));
  CHUNKER_TRY(const Digest digest, reader.digest(kMalformed));
  CHUNKER_TRY_VOID(reader.end(kMalformed));
  return digest;
}

std::string encode(std::uint64_t number) { return varints({number}); }

std::string encode(const ChunkLocation& location) {
  const auto codec = static_cast<std::uint64_t>(location.codec);
  // Most chunks are alone in their frame; the last two fields then say nothing new.
  if (is_alone(location)) {
    return varints({location.pack, location.payload_offset, location.payload_bytes, codec,
                    location.flags, location.chunk_bytes});
  }
  return varints({location.pack, location.payload_offset, location.payload_bytes, codec,
                  location.flags, location.chunk_bytes, location.offset_in_frame,
                  location.frame_raw_bytes});
}

std::string encode(const ManifestLocation& location) {
  return varints({location.pack, location.payload_offset, location.payload_bytes,
                  location.nar_bytes, location.chunk_count});
}

std::string encode(const PackEntry& pack) {
  return varints({pack.number, pack.sequence, pack.blob_bytes});
}

std::string encode(const NameRecord& name) {
  return std::string(text_of(name.nar_sha256.view())).append(varints({name.added_unix_seconds}));
}

Result<std::uint64_t> decode_number(std::string_view value) {
  FieldReader reader(bytes_of(value));
  std::uint64_t number = 0;
  CHUNKER_TRY_VOID(read_varints(reader, {&number}));
  return number;
}

Result<ChunkLocation> decode_chunk(std::string_view value) {
  FieldReader reader(bytes_of(value));
  ChunkLocation location;
  CHUNKER_TRY(location.pack, reader.varint_at_most(kPackNumberMax, kMalformed));
  CHUNKER_TRY(location.payload_offset, reader.varint(kMalformed));
  CHUNKER_TRY(location.payload_bytes, reader.varint(kMalformed));
  CHUNKER_TRY(const std::uint16_t codec, reader.varint_at_most(kCodecMax, kMalformed));
  location.codec = static_cast<CodecId>(codec);
  CHUNKER_TRY(location.flags, reader.varint(kMalformed));
  CHUNKER_TRY(location.chunk_bytes, reader.varint(kMalformed));
  location.frame_raw_bytes = location.chunk_bytes;
  if (reader.at_end()) return location;
  CHUNKER_TRY_VOID(read_varints(reader, {&location.offset_in_frame, &location.frame_raw_bytes}));
  if (is_alone(location)) return fail(ErrorCode::store_corrupt, kMalformed);
  return location;
}

Result<ManifestLocation> decode_manifest(std::string_view value) {
  FieldReader reader(bytes_of(value));
  ManifestLocation location;
  CHUNKER_TRY(location.pack, reader.varint_at_most(kPackNumberMax, kMalformed));
  CHUNKER_TRY_VOID(read_varints(reader, {&location.payload_offset, &location.payload_bytes,
                                         &location.nar_bytes, &location.chunk_count}));
  return location;
}

Result<PackEntry> decode_pack(std::string_view blob_key, std::string_view value) {
  FieldReader reader(bytes_of(value));
  PackEntry pack;
  pack.key = blob_key;
  CHUNKER_TRY(pack.number, reader.varint_at_most(kPackNumberMax, kMalformed));
  CHUNKER_TRY_VOID(read_varints(reader, {&pack.sequence, &pack.blob_bytes}));
  return pack;
}

Result<NameRecord> decode_name(std::string_view name, std::string_view value) {
  FieldReader reader(bytes_of(value));
  NameRecord record;
  record.name = name;
  CHUNKER_TRY(record.nar_sha256, reader.digest(kMalformed));
  CHUNKER_TRY_VOID(read_varints(reader, {&record.added_unix_seconds}));
  return record;
}

}  // namespace chunker::store::index_format
