#include "store/frame_reader.hpp"

#include <utility>

#include "base/try.hpp"

namespace chunker::store {

using base::fail;

Result<Bytes> chunk_in_frame(Bytes frame, const Digest& digest, const ChunkLocation& location,
                             const HashAlgorithm& hash) {
  if (location.offset_in_frame > frame.size() ||
      location.chunk_bytes > frame.size() - location.offset_in_frame) {
    return fail(ErrorCode::store_corrupt, "the index points outside a chunk's frame",
                location.offset_in_frame, digest.hex());
  }
  const Bytes bytes = frame.subspan(static_cast<std::size_t>(location.offset_in_frame),
                                    static_cast<std::size_t>(location.chunk_bytes));
  if (hash.hash(bytes) != digest) {
    return fail(ErrorCode::digest_mismatch, "a stored chunk does not hash to its name",
                location.payload_offset, digest.hex());
  }
  return bytes;
}

Result<void> FrameReader::load(const ChunkLocation& location) {
  if (held_ && held_->same_frame(location)) return {};
  held_.reset();
  CHUNKER_TRY(const std::string key, parts_->pack_key(location.pack));
  if (location.payload_bytes > kDecompressedBytesMax ||
      location.frame_raw_bytes > kDecompressedBytesMax) {
    return fail(ErrorCode::store_corrupt, "the index describes an impossible frame",
                location.payload_offset, key);
  }
  if (location.flags != 0) {
    return fail(ErrorCode::store_version, "a frame needs a later version to be read",
                location.payload_offset, key);
  }
  payload_.clear();
  payload_.resize(static_cast<std::size_t>(location.payload_bytes));
  if (auto read = parts_->blobs->read(key, location.payload_offset, payload_.span()); !read) {
    Error error = std::move(read).error();
    if (error.code == ErrorCode::store_not_found) error.code = ErrorCode::store_chunk_missing;
    return std::unexpected(std::move(error));
  }
  if (auto decoded = decode(location); !decoded) {
    Error error = std::move(decoded).error();
    error.offset_bytes = location.payload_offset;
    return std::unexpected(std::move(error).within(key));
  }
  held_ = location;
  return {};
}

Result<void> FrameReader::decode(const ChunkLocation& location) {
  CHUNKER_TRY(const CompressionCodec codec, parts_->options.codecs->by_id(location.codec));
  const auto raw_bytes = static_cast<std::size_t>(location.frame_raw_bytes);
  raw_.clear();
  raw_.reserve(raw_bytes);
  CHUNKER_TRY_VOID(codec.decompress(payload_, raw_bytes, scratch_, raw_));
  if (raw_.size() != raw_bytes) {
    return fail(ErrorCode::store_corrupt, "a frame decodes to another size than recorded");
  }
  return {};
}

Result<Bytes> FrameReader::chunk(const Digest& digest, const ChunkLocation& location) const {
  auto bytes = chunk_in_frame(raw_, digest, location, parts_->options.hash);
  if (bytes) return bytes;
  auto key = parts_->pack_key(location.pack);
  return std::unexpected(std::move(bytes).error().within(key ? *key : std::string()));
}

Result<Bytes> FrameReader::read(const Digest& digest, const ChunkLocation& location) {
  CHUNKER_TRY_VOID(load(location));
  return chunk(digest, location);
}

ByteBuffer FrameReader::take(ByteBuffer replacement) noexcept {
  held_.reset();
  return std::exchange(raw_, std::move(replacement));
}

}  // namespace chunker::store
