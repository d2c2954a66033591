#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "store/blob_memory.hpp"
#include "store/pack.hpp"

// input := u64 payload_end, directory. What decodes must be spelled with exactly these bytes, and a pack made
// around it must read the same; as a whole blob the input must be refused or read, whatever it is.

namespace {

using namespace chunker;
using namespace chunker::store;

constexpr std::uint64_t kPayloadBytesMax = 1 << 16;

Result<PackDirectory> read_blob(std::string_view key, Bytes blob) {
  MemoryBlobStore blobs;
  auto writer = blobs.create();
  CHUNKER_CHECK((*writer)->append(blob).has_value() && (*writer)->commit(key).has_value());
  return read_pack_directory(blobs, key, blob.size());
}

void check_pack(const PackDirectory& directory, std::uint64_t payload_end, Bytes end) {
  ByteBuffer blob(pack_magic());
  blob.append(bytes_of(std::string(payload_end - kPackMagicBytes, 'p')));
  blob.append(end);
  CHUNKER_CHECK(read_blob(pack_key(pack_digest(directory)), blob) == directory);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  (void)read_blob("packs/x", input);
  base::WireReader reader(input);
  const auto payload_end = reader.le<std::uint64_t>();
  if (!payload_end) return 0;
  const auto directory = decode_directory(reader.rest(), *payload_end);
  if (!directory) {
    CHUNKER_CHECK(directory.error().offset_bytes <= reader.rest().size());
    return 0;
  }
  std::uint64_t record_bytes = 0;
  for (const PackRecord& record : directory->records) record_bytes += directory_bytes(record);
  CHUNKER_CHECK(record_bytes < reader.rest().size());
  const ByteBuffer end = encode_pack_end(*directory, *payload_end);
  CHUNKER_CHECK(text_of(end.view().first(end.size() - kPackTrailerBytes)) ==
                text_of(reader.rest()));
  if (*payload_end <= kPayloadBytesMax) check_pack(*directory, *payload_end, end);
  return 0;
}
