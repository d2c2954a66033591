#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/check.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "store/entry_table.hpp"
#include "store/manifest_format.hpp"

// input := u16 size, a manifest of that size without its check, the bytes of its pieces one behind the other.
// What decodes must decode the same after it was encoded again, and be spelled the same if nothing of it is in
// pieces (their digests are not those of the bytes given here). As an entry table, the rest of the input must
// be refused or spelled the same.

namespace {

using namespace chunker;
using namespace chunker::store;

ByteBuffer sealed(Bytes body) {
  ByteBuffer bytes(body);
  bytes.append(HashAlgorithm::blake3().hash(body).view().first(16));
  return bytes;
}

// Gives out `pool` as the pieces that `head` wants, in the order of its parts.
FetchPiece pieces_from(Bytes pool, const ManifestHead& head) {
  std::vector<std::uint64_t> sizes;
  for (const ManifestHead::Part* part :
       {&head.chunk_list, &head.entry_table, &head.hash_list, &head.position_list}) {
    for (std::uint64_t rest = part->pieces.empty() ? 0 : part->raw_bytes; rest != 0;) {
      sizes.push_back(std::min<std::uint64_t>(rest, kPartPieceBytes));
      rest -= sizes.back();
    }
  }
  return [pool, sizes, next = std::size_t{0}](const Digest&, ByteBuffer& output) mutable {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(pool.size(), sizes.at(next++)));
    output.append(pool.first(size));
    pool = pool.subspan(size);
    return Result<void>();
  };
}

void check_encoded_again(const Manifest& manifest, Bytes original) {
  const auto encoded = encode_manifest(manifest, HashAlgorithm::blake3());
  CHUNKER_CHECK(encoded.has_value());
  if (encoded->pieces.empty()) CHUNKER_CHECK(text_of(encoded->bytes) == text_of(original));
  std::unordered_map<Digest, Bytes> pieces;
  for (const auto& piece : encoded->pieces) pieces[piece.digest] = piece.bytes;
  const auto head = decode_manifest_head(encoded->bytes);
  CHUNKER_CHECK(head.has_value());
  const auto again = decode_manifest(*head, [&](const Digest& digest, ByteBuffer& output) {
    output.append(pieces.at(digest));
    return Result<void>();
  });
  CHUNKER_CHECK(again == manifest);
}

void check_manifest(Bytes body, Bytes pool) {
  const ByteBuffer bytes = sealed(body);
  const auto head = decode_manifest_head(bytes);
  if (!head) {
    CHUNKER_CHECK(head.error().offset_bytes <= bytes.size());
    return;
  }
  const auto chunks = decode_chunk_list(*head, pieces_from(pool, *head));
  const auto manifest = decode_manifest(*head, pieces_from(pool, *head));
  if (!manifest) return;
  CHUNKER_CHECK(chunks == manifest->chunks);
  check_encoded_again(*manifest, bytes);
}

void check_table(Bytes input) {
  base::WireReader reader(input);
  const auto nar_bytes = reader.varint();
  const auto entry_count = reader.varint();
  if (!nar_bytes || !entry_count) return;
  const auto entries = decode_entries(reader.rest(), *entry_count, *nar_bytes);
  if (!entries) return;
  ByteBuffer table;
  CHUNKER_CHECK(encode_entries(*entries, *nar_bytes, table).has_value());
  CHUNKER_CHECK(text_of(table) == text_of(reader.rest()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  check_table(input);
  base::WireReader reader(input);
  const auto body_bytes = reader.le<std::uint16_t>();
  const auto body = body_bytes ? reader.bytes(*body_bytes) : std::nullopt;
  if (body) check_manifest(*body, reader.rest());
  return 0;
}
