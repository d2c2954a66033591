#include "store/manifest_format.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "refs/reference_format.hpp"
#include "store/entry_table.hpp"
#include "store/field_reader.hpp"
#include "store/pack.hpp"

namespace chunker::store {
namespace {

using base::append_varint;
using base::fail;

constexpr std::string_view kMagic{"CKMANIF\x01", 8};
constexpr std::size_t kVersionOffset = 7;
constexpr std::size_t kCheckBytes = 16;
constexpr std::size_t kChunkBytesMin = Digest::kBytes + 1;
constexpr std::size_t kPositionBytesMin = 2;
constexpr std::uint64_t kHasReferences = 1;
constexpr std::uint64_t kHasLandmarks = 4;  // 2 was never given a meaning, and stays refused
constexpr std::uint64_t kKnownFlags = kHasReferences | kHasLandmarks;

// What the field `landmarks` of a recipe is made of.
struct LandmarkBit {
  bool Recipe::* preference;
  std::uint64_t bit;
};
constexpr LandmarkBit kLandmarkBits[] = {{&Recipe::prefer_sections, 1},
                                         {&Recipe::dedup_hint, 2},
                                         {&Recipe::prefer_definitions, 4},
                                         {&Recipe::prefer_lines, 8}};
constexpr std::uint64_t kLandmarksMax = 15;

std::uint64_t piece_count_of(std::uint64_t raw_bytes, std::size_t inline_bytes_max) noexcept {
  return raw_bytes <= inline_bytes_max ? 0 : (raw_bytes + kPartPieceBytes - 1) / kPartPieceBytes;
}

Bytes check_of(const Digest& digest) noexcept { return digest.view().first(kCheckBytes); }

// What this version knows of recipes; the other fields may hold anything that fits them.
bool is_known(std::uint64_t algorithm, std::uint64_t version, std::uint64_t nar_mode) noexcept {
  return algorithm >= 1 && algorithm <= 3 && version == 1 && nar_mode <= 2;
}

bool is_known(const Recipe& recipe) noexcept {
  return is_known(static_cast<std::uint64_t>(recipe.algorithm), recipe.version,
                  static_cast<std::uint64_t>(recipe.nar_mode));
}

// Writing.

void append_recipe(ByteBuffer& to, const Recipe& recipe) {
  append_varint(to, static_cast<std::uint8_t>(recipe.algorithm));
  append_varint(to, recipe.version);
  append_varint(to, recipe.min_bytes);
  append_varint(to, recipe.avg_bytes);
  append_varint(to, recipe.max_bytes);
  append_varint(to, recipe.normalization);
  append_varint(to, recipe.seed);
  append_varint(to, static_cast<std::uint8_t>(recipe.nar_mode));
  append_varint(to, recipe.header_chunk ? 1 : 0);
  if (!recipe.has_landmarks()) return;
  std::uint64_t landmarks = 0;
  for (const LandmarkBit& known : kLandmarkBits) {
    if (recipe.*known.preference) landmarks |= known.bit;
  }
  append_varint(to, landmarks);
}

Result<ByteBuffer> encode_chunk_list(const Manifest& manifest) {
  ByteBuffer list;
  std::uint64_t rest = manifest.nar_bytes;
  for (const ChunkReference& chunk : manifest.chunks) {
    if (chunk.size_bytes == 0 || chunk.size_bytes > std::min(rest, kFrameBytesMax)) {
      return fail(ErrorCode::invalid_argument, "chunk sizes do not add up to the NAR's",
                  manifest.nar_bytes - rest);
    }
    rest -= chunk.size_bytes;
    list.append(chunk.digest.view());
    append_varint(list, chunk.size_bytes);
  }
  if (rest != 0) {
    return fail(ErrorCode::invalid_argument, "chunk sizes do not add up to the NAR's",
                manifest.nar_bytes - rest);
  }
  return list;
}

Result<void> append_part(Bytes raw, const HashAlgorithm& hash, EncodedManifest& to,
                         std::size_t inline_bytes_max = kPartInlineBytesMax) {
  if (raw.size() > kPartBytesMax) {
    return fail(ErrorCode::invalid_argument, "a NAR has too many chunks or entries for a manifest");
  }
  append_varint(to.bytes, raw.size());
  const std::uint64_t piece_count = piece_count_of(raw.size(), inline_bytes_max);
  append_varint(to.bytes, piece_count);
  if (piece_count == 0) {
    to.bytes.append(raw);
    return {};
  }
  for (; !raw.empty(); raw = raw.subspan(std::min(raw.size(), kPartPieceBytes))) {
    const Bytes piece = raw.first(std::min(raw.size(), kPartPieceBytes));
    to.pieces.push_back({.digest = hash.hash(piece), .bytes = ByteBuffer(piece)});
    to.bytes.append(to.pieces.back().digest.view());
  }
  return {};
}

Result<void> append_references(const Manifest& manifest, const HashAlgorithm& hash,
                               EncodedManifest& to) {
  CHUNKER_TRY(const auto lists, refs::encode_references(manifest.references, manifest.nar_bytes));
  if (lists.position_list.size() == 0) return {};
  CHUNKER_TRY_VOID(append_part(lists.hash_list, hash, to, kHashListInlineBytesMax));
  return append_part(lists.position_list, hash, to);
}

// Reading.

Result<Bytes> checked_body(Bytes bytes);

/// What is right in all but its version was of ours.
Error other_version(Bytes bytes) {
  ByteBuffer ours(bytes_of(kMagic));
  ours.append(bytes.subspan(kMagic.size()));
  if (!checked_body(ours)) {
    return {ErrorCode::store_version, "a manifest of another version", kVersionOffset, {}};
  }
  return {ErrorCode::store_corrupt, "the version of a manifest is damaged", kVersionOffset, {}};
}

Result<Bytes> checked_body(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  if (!text.starts_with(kMagic.substr(0, kVersionOffset)) || bytes.size() < kMagic.size()) {
    return fail(ErrorCode::store_corrupt, "this is not a manifest", 0);
  }
  if (!text.starts_with(kMagic)) return std::unexpected(other_version(bytes));
  if (bytes.size() < kMagic.size() + kCheckBytes || bytes.size() > kManifestBytesMax) {
    return fail(ErrorCode::store_corrupt, "a manifest is too short or larger than 1 MiB",
                bytes.size());
  }
  const Bytes body = bytes.first(bytes.size() - kCheckBytes);
  if (!std::ranges::equal(bytes.last(kCheckBytes), check_of(HashAlgorithm::blake3().hash(body)))) {
    return fail(ErrorCode::store_corrupt, "a manifest does not hash to its check", body.size());
  }
  return body;
}

Result<void> read_landmarks(FieldReader& reader, Recipe& recipe) {
  const std::size_t begin = reader.offset();
  CHUNKER_TRY(const auto landmarks, reader.varint("a recipe is cut off or malformed"));
  if (landmarks > kLandmarksMax) {
    return fail(ErrorCode::store_version, "landmarks of a later version", begin);
  }
  for (const LandmarkBit& known : kLandmarkBits) {
    recipe.*known.preference = (landmarks & known.bit) != 0;
  }
  if (landmarks == 0) {
    return fail(ErrorCode::store_corrupt, "landmarks are announced, and there are none", begin);
  }
  return {};
}

Result<Recipe> read_recipe(FieldReader& reader) {
  constexpr std::string_view kFault = "a recipe is cut off or malformed";
  constexpr auto kByteMax = std::numeric_limits<std::uint8_t>::max();
  const std::size_t begin = reader.offset();
  Recipe recipe;
  CHUNKER_TRY(const auto algorithm, reader.varint(kFault));
  CHUNKER_TRY(const auto version, reader.varint(kFault));
  CHUNKER_TRY(recipe.min_bytes, reader.varint(kFault));
  CHUNKER_TRY(recipe.avg_bytes, reader.varint(kFault));
  CHUNKER_TRY(recipe.max_bytes, reader.varint(kFault));
  CHUNKER_TRY(recipe.normalization, reader.varint_at_most(kByteMax, kFault));
  CHUNKER_TRY(recipe.seed, reader.varint(kFault));
  CHUNKER_TRY(const auto nar_mode, reader.varint(kFault));
  CHUNKER_TRY(const auto header_chunk, reader.varint_at_most(std::uint8_t{1}, kFault));
  if (!is_known(algorithm, version, nar_mode)) {
    return fail(ErrorCode::store_version, "a recipe of a later version", begin);
  }
  recipe.algorithm = static_cast<ChunkingAlgorithm>(algorithm);
  recipe.version = static_cast<std::uint32_t>(version);
  recipe.nar_mode = static_cast<NarMode>(nar_mode);
  recipe.header_chunk = header_chunk != 0;
  return recipe;
}

// A part takes `bytes_min` bytes or more for each of its `count` things.
Result<ManifestHead::Part> read_part(FieldReader& reader, std::uint64_t count,
                                     std::size_t bytes_min,
                                     std::size_t inline_bytes_max = kPartInlineBytesMax) {
  ManifestHead::Part part;
  const std::size_t begin = reader.offset();
  CHUNKER_TRY(part.raw_bytes,
              reader.varint_at_most(kPartBytesMax, "a part is cut off or larger than 1 GiB"));
  if (count > part.raw_bytes / bytes_min) {
    return fail(ErrorCode::store_corrupt, "a part is too small for what it should hold", begin);
  }
  const std::size_t pieces_begin = reader.offset();
  CHUNKER_TRY(const auto piece_count,
              reader.count(Digest::kBytes, "a part has more pieces than bytes"));
  if (piece_count != piece_count_of(part.raw_bytes, inline_bytes_max)) {
    return fail(ErrorCode::store_corrupt, "a part of this size has another number of pieces",
                pieces_begin);
  }
  if (piece_count == 0) {
    CHUNKER_TRY(const Bytes raw, reader.bytes(part.raw_bytes, "a part is cut off"));
    part.inline_bytes.append(raw);
  }
  part.pieces.resize(piece_count);
  for (Digest& piece : part.pieces) {
    CHUNKER_TRY(piece, reader.digest("a piece's digest is cut off"));
  }
  return part;
}

// All of a part's bytes: those in the head, or its pieces, fetched into `buffer`.
Result<Bytes> bytes_of_part(const ManifestHead::Part& part, const FetchPiece& fetch,
                            ByteBuffer& buffer) {
  if (part.pieces.empty()) return part.inline_bytes.view();
  for (const Digest& piece : part.pieces) {
    const std::uint64_t end =
        std::min<std::uint64_t>(buffer.size() + kPartPieceBytes, part.raw_bytes);
    CHUNKER_TRY_VOID(fetch(piece, buffer));
    if (buffer.size() != end) {
      return fail(ErrorCode::store_corrupt, "a piece of a manifest has the wrong size",
                  buffer.size(), piece.hex());
    }
  }
  return buffer.view();
}

Result<std::vector<ChunkReference>> read_chunks(Bytes list, std::uint64_t count,
                                                std::uint64_t nar_bytes) {
  FieldReader reader(list);
  if (count > list.size() / kChunkBytesMin) {
    return fail(ErrorCode::store_corrupt, "a chunk list has more chunks than bytes", 0);
  }
  std::vector<ChunkReference> chunks(static_cast<std::size_t>(count));
  std::uint64_t rest = nar_bytes;
  for (ChunkReference& chunk : chunks) {
    CHUNKER_TRY(chunk.digest, reader.digest("a chunk's digest is cut off"));
    const std::size_t begin = reader.offset();
    CHUNKER_TRY(chunk.size_bytes, reader.varint_at_most(std::min(rest, kFrameBytesMax),
                                                        "chunk sizes do not add up to the NAR's"));
    if (chunk.size_bytes == 0) return fail(ErrorCode::store_corrupt, "a chunk is empty", begin);
    rest -= chunk.size_bytes;
  }
  CHUNKER_TRY_VOID(reader.end("bytes follow a chunk list"));
  if (rest != 0)
    return fail(ErrorCode::store_corrupt, "chunk sizes do not add up to the NAR's",
                reader.offset());
  return chunks;
}

}  // namespace

std::vector<Digest> ManifestHead::pieces() const {
  std::vector<Digest> all;
  for (const Part* part : {&chunk_list, &entry_table, &hash_list, &position_list}) {
    all.insert(all.end(), part->pieces.begin(), part->pieces.end());
  }
  return all;
}

Result<EncodedManifest> encode_manifest(const Manifest& manifest, const HashAlgorithm& hash) {
  if (manifest.nar_bytes > kNarBytesMax) {
    return fail(ErrorCode::invalid_argument, "a NAR is larger than any file");
  }
  if (!is_known(manifest.recipe)) {
    return fail(ErrorCode::invalid_argument, "a recipe that manifests of this version cannot hold");
  }
  CHUNKER_TRY(const ByteBuffer chunk_list, encode_chunk_list(manifest));
  ByteBuffer entry_table;
  CHUNKER_TRY_VOID(encode_entries(manifest.entries, manifest.nar_bytes, entry_table));
  EncodedManifest encoded;
  encoded.bytes.append(bytes_of(kMagic));
  encoded.bytes.append(manifest.nar_sha256.view());
  append_varint(encoded.bytes, manifest.nar_bytes);
  append_varint(encoded.bytes, (manifest.references.positions.empty() ? 0 : kHasReferences) |
                                   (manifest.recipe.has_landmarks() ? kHasLandmarks : 0));
  append_recipe(encoded.bytes, manifest.recipe);
  append_varint(encoded.bytes, manifest.chunks.size());
  append_varint(encoded.bytes, manifest.entries.size());
  CHUNKER_TRY_VOID(append_part(chunk_list, hash, encoded));
  CHUNKER_TRY_VOID(append_part(entry_table, hash, encoded));
  CHUNKER_TRY_VOID(append_references(manifest, hash, encoded));
  encoded.bytes.append(check_of(HashAlgorithm::blake3().hash(encoded.bytes)));
  return encoded;
}

Result<ManifestHead> decode_manifest_head(Bytes bytes) {
  CHUNKER_TRY(const Bytes body, checked_body(bytes));
  FieldReader reader(body);
  CHUNKER_TRY_VOID(reader.bytes(kMagic.size(), "a manifest is cut off"));
  ManifestHead head;
  CHUNKER_TRY(head.nar_sha256, reader.digest("a NAR's digest is cut off"));
  CHUNKER_TRY(head.nar_bytes, reader.varint_at_most(kNarBytesMax, "a NAR is larger than any file"));
  const std::size_t flags_begin = reader.offset();
  CHUNKER_TRY(const auto flags, reader.varint("a manifest's flags are cut off or malformed"));
  if ((flags & ~kKnownFlags) != 0) {
    return fail(ErrorCode::store_version, "a manifest has flags of a later version", flags_begin);
  }
  CHUNKER_TRY(head.recipe, read_recipe(reader));
  if ((flags & kHasLandmarks) != 0) CHUNKER_TRY_VOID(read_landmarks(reader, head.recipe));
  CHUNKER_TRY(head.chunk_count, reader.varint("a chunk count is cut off or malformed"));
  CHUNKER_TRY(head.entry_count, reader.varint("an entry count is cut off or malformed"));
  CHUNKER_TRY(head.chunk_list, read_part(reader, head.chunk_count, kChunkBytesMin));
  CHUNKER_TRY(head.entry_table, read_part(reader, head.entry_count, kEntryBytesMin));
  if ((flags & kHasReferences) != 0) {
    CHUNKER_TRY(head.hash_list, read_part(reader, 1, StoreHash::kBytes, kHashListInlineBytesMax));
    CHUNKER_TRY(head.position_list, read_part(reader, 1, kPositionBytesMin));
  }
  CHUNKER_TRY_VOID(reader.end("bytes follow a manifest's parts"));
  return head;
}

Result<std::vector<ChunkReference>> decode_chunk_list(const ManifestHead& head,
                                                      const FetchPiece& fetch) {
  ByteBuffer buffer;
  CHUNKER_TRY(const Bytes list, bytes_of_part(head.chunk_list, fetch, buffer));
  auto chunks = read_chunks(list, head.chunk_count, head.nar_bytes);
  if (!chunks) return std::unexpected(std::move(chunks).error().within("chunk list"));
  return chunks;
}

Result<References> decode_reference_lists(const ManifestHead& head, const FetchPiece& fetch) {
  ByteBuffer hash_buffer, position_buffer;
  CHUNKER_TRY(const Bytes hashes, bytes_of_part(head.hash_list, fetch, hash_buffer));
  CHUNKER_TRY(const Bytes positions, bytes_of_part(head.position_list, fetch, position_buffer));
  return refs::decode_references(hashes, positions, head.nar_bytes);
}

Result<Manifest> decode_manifest(const ManifestHead& head, const FetchPiece& fetch) {
  Manifest manifest;
  manifest.nar_sha256 = head.nar_sha256;
  manifest.nar_bytes = head.nar_bytes;
  manifest.recipe = head.recipe;
  CHUNKER_TRY(manifest.chunks, decode_chunk_list(head, fetch));
  ByteBuffer buffer;
  CHUNKER_TRY(const Bytes table, bytes_of_part(head.entry_table, fetch, buffer));
  auto entries = decode_entries(table, head.entry_count, head.nar_bytes);
  if (!entries) return std::unexpected(std::move(entries).error().within("entry table"));
  manifest.entries = *std::move(entries);
  CHUNKER_TRY(manifest.references, decode_reference_lists(head, fetch));
  return manifest;
}

}  // namespace chunker::store
