#include "store/pack_record.hpp"

#include <limits>
#include <string_view>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "codec/delta_frame.hpp"
#include "store/manifest_format.hpp"

namespace chunker::store {
namespace {

using base::append_varint;
using base::fail;

// The alternatives of PackRecord, in their order there; on disk, so never renumbered.
enum class Kind : std::uint8_t { frame = 1, manifest = 2, name = 3, removal = 4 };

constexpr std::size_t kChunkBytesMin = Digest::kBytes + 1;

// What is wrong with a record; empty if nothing is. One truth for writers and readers.

std::string_view fault_of_base(const FrameRecord& frame, std::uint64_t raw_bytes) noexcept {
  if ((frame.flags & kDeltaFrame) == 0) {
    return frame.base.empty() ? "" : "a frame that is no delta has a base";
  }
  if (frame.base.empty() || frame.base.size() > kBaseChunksMax) {
    return "a delta frame's base has no chunk or more than 256";
  }
  if (frame.codec != CodecId::zstd) return "a delta frame is not of zstd";
  if (raw_bytes > codec::kDeltaContentBytesMax) return "a delta frame is larger than 4 MiB";
  return {};
}

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
  return fault_of_base(frame, raw_bytes);
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
  if ((frame.flags & kDeltaFrame) == 0) return;
  append_varint(to, frame.base.size());
  for (const Digest& digest : frame.base) to.append(digest.view());
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

Result<FrameRecord> read_frame(FieldReader& reader) {
  FrameRecord frame;
  CHUNKER_TRY(frame.payload_bytes, reader.varint("a frame's size is cut off or malformed"));
  constexpr auto kCodecMax = std::numeric_limits<std::uint16_t>::max();
  CHUNKER_TRY(const auto codec, reader.varint_at_most(kCodecMax, "a frame's codec is impossible"));
  frame.codec = CodecId{codec};
  const std::size_t flags_begin = reader.offset();
  CHUNKER_TRY(frame.flags, reader.varint("a frame's flags are cut off or malformed"));
  if ((frame.flags & ~kDeltaFrame) != 0) {
    return fail(ErrorCode::store_version, "a frame has flags of a later version", flags_begin);
  }
  CHUNKER_TRY(const auto count, reader.count(kChunkBytesMin, "a frame has more chunks than bytes"));
  frame.chunks.resize(count);
  for (ChunkReference& chunk : frame.chunks) {
    CHUNKER_TRY(chunk.digest, reader.digest("a chunk's digest is cut off"));
    CHUNKER_TRY(chunk.size_bytes, reader.varint("a chunk's size is cut off or malformed"));
  }
  if ((frame.flags & kDeltaFrame) == 0) return frame;
  CHUNKER_TRY(const auto base_count,
              reader.count(Digest::kBytes, "a frame's base has more chunks than bytes"));
  frame.base.resize(base_count);
  for (Digest& digest : frame.base) {
    CHUNKER_TRY(digest, reader.digest("a base chunk's digest is cut off"));
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

}  // namespace

std::uint64_t FrameRecord::raw_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const ChunkReference& chunk : chunks) sum += chunk.size_bytes;
  return sum;
}

std::uint64_t payload_bytes(const PackRecord& record) noexcept {
  if (const auto* frame = std::get_if<FrameRecord>(&record)) return frame->payload_bytes;
  if (const auto* manifest = std::get_if<ManifestRecord>(&record)) return manifest->payload_bytes;
  return 0;
}

Result<void> check_record(const PackRecord& record) {
  const auto fault = std::visit([](const auto& kind) { return fault_of(kind); }, record);
  if (!fault.empty()) return fail(ErrorCode::invalid_argument, fault);
  const auto* frame = std::get_if<FrameRecord>(&record);
  if (frame != nullptr && (frame->flags & ~kDeltaFrame) != 0) {
    return fail(ErrorCode::store_version, "a frame has flags of a later version");
  }
  return {};
}

std::uint64_t directory_bytes(const PackRecord& record) {
  ByteBuffer encoded;
  append_record(encoded, record);
  return encoded.size();
}

void append_record(ByteBuffer& to, const PackRecord& record) {
  base::append_le(to, static_cast<std::uint8_t>(record.index() + 1));
  std::visit([&](const auto& alternative) { append(to, alternative); }, record);
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

}  // namespace chunker::store
