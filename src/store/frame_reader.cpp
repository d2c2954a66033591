#include "store/frame_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "codec/delta_frame.hpp"
#include "store/second_look.hpp"

namespace chunker::store {
namespace {

using base::fail;

Result<void> check(const ChunkLocation& location, const std::string& key) {
  if (location.payload_bytes > kDecompressedBytesMax ||
      location.frame_raw_bytes > kDecompressedBytesMax) {
    return fail(ErrorCode::store_corrupt, "the index describes an impossible frame",
                location.payload_offset, key);
  }
  if ((location.flags & ~kDeltaFrame) != 0) {
    return fail(ErrorCode::store_version, "a frame needs a later version to be read",
                location.payload_offset, key);
  }
  return {};
}

}  // namespace

Result<void> FrameReader::load(const ChunkLocation& location) {
  if (held_ && held_->same_frame(location)) return {};
  held_.reset();
  CHUNKER_TRY_VOID(reserve_for_large(location));
  CHUNKER_TRY_VOID(parts_->memory->retrying([&] { return decode(location, raw_, 0); }));
  held_ = location;
  return {};
}

/// Of a budget that has a limit: what an index says is no reason to allocate.
Result<void> FrameReader::reserve_for_large(const ChunkLocation& location) {
  large_ = {};
  if (!parts_->memory->is_limited()) return {};
  const std::uint64_t bytes = std::max(location.frame_raw_bytes, location.payload_bytes);
  if (bytes <= kFrameBytesExpected) return {};
  CHUNKER_TRY_VOID(parts_->memory->check_buffer(bytes));
  // The frame lives on with whoever takes it, while the next one is decoded.
  CHUNKER_TRY(large_, parts_->memory->reserve(3 * static_cast<std::size_t>(bytes)));
  return {};
}

Result<void> FrameReader::decode(const ChunkLocation& location, ScratchBuffer& raw,
                                 unsigned depth) {
  CHUNKER_TRY(const std::string key, parts_->pack_key(location.pack));
  CHUNKER_TRY_VOID(check(location, key));
  const auto payload_bytes = static_cast<std::size_t>(location.payload_bytes);
  // Only the outermost frame has a buffer that stays here: those of bases are few, and seldom two deep.
  ScratchBuffer own(parts_->scratch);
  ByteBuffer& payload = (depth == 0 ? payload_ : own).emptied(payload_bytes);
  payload.resize(payload_bytes);
  if (auto read = parts_->blobs->read(key, location.payload_offset, payload.span()); !read) {
    return std::unexpected(of_what_lies_there(std::move(read).error()));
  }
  ByteBuffer& output = raw.emptied(static_cast<std::size_t>(location.frame_raw_bytes));
  if (auto decoded = decode_payload(location, payload, output, depth); !decoded) {
    return std::unexpected(placed(std::move(decoded).error(), location));
  }
  return {};
}

Result<void> FrameReader::decode_payload(const ChunkLocation& location, Bytes payload,
                                         ByteBuffer& raw, unsigned depth) {
  const auto raw_bytes = static_cast<std::size_t>(location.frame_raw_bytes);
  if ((location.flags & kDeltaFrame) == 0) {
    CHUNKER_TRY(const CompressionCodec codec, parts_->options.codecs->by_id(location.codec));
    CHUNKER_TRY_VOID(codec.decompress(payload, raw_bytes, scratch_, raw));
  } else {
    CHUNKER_TRY(const auto digests, parts_->base_of(location));
    ScratchBuffer own(parts_->scratch);
    // A base is probably as large as what is made from it.
    ByteBuffer& base = (depth == 0 ? base_ : own)
                           .emptied(std::min<std::size_t>(raw_bytes, codec::kDeltaBaseBytesMax));
    CHUNKER_TRY_VOID(append_base(*digests, base, depth + 1));
    CHUNKER_TRY_VOID(codec::decompress_with_base(payload, base, raw_bytes, scratch_, raw));
  }
  if (raw.size() != raw_bytes) {
    return fail(ErrorCode::store_corrupt, "a frame decodes to another size than recorded");
  }
  return {};
}

Result<void> FrameReader::append_base(std::span<const Digest> digests, ByteBuffer& output,
                                      unsigned depth) {
  if (depth > kDeltaStepsMax) {
    return fail(ErrorCode::store_corrupt, "deltas need deltas without end", Error::kNoOffset,
                digests.front().hex());
  }
  CHUNKER_TRY(const auto locations, parts_->index->chunks(digests));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const auto& location = locations[i];
    if (!location) {
      return fail(ErrorCode::store_chunk_missing, "the store does not have the base of a delta",
                  Error::kNoOffset, digests[i].hex());
    }
    // Before anything is decoded: such a chunk shares its frame with little, or has it alone.
    if (location->chunk_bytes > codec::kDeltaBaseBytesMax - output.size() ||
        location->frame_raw_bytes > codec::kDeltaBaseBytesMax) {
      return fail(ErrorCode::store_corrupt, "the base of a delta is larger than 4 MiB",
                  Error::kNoOffset, digests[i].hex());
    }
    CHUNKER_TRY(const auto frame, base_frame(*location, depth));
    const auto bytes = frame->chunk(digests[i], *location, parts_->options.hash);
    if (!bytes) return std::unexpected(placed(bytes.error(), *location));
    output.append(*bytes);
  }
  return {};
}

Result<std::shared_ptr<DecodedFrame>> FrameReader::base_frame(const ChunkLocation& location,
                                                              unsigned depth) {
  if (auto kept = parts_->base_frames.find(location)) return kept;
  ScratchBuffer raw(parts_->scratch);
  CHUNKER_TRY_VOID(decode(location, raw, depth));
  auto frame = std::make_shared<DecodedFrame>(std::move(raw));
  parts_->base_frames.keep(location, frame);
  return frame;
}

Result<Bytes> FrameReader::chunk(const Digest& digest, const ChunkLocation& location) const {
  auto bytes = chunk_in_frame(raw_.bytes(), digest, location, parts_->options.hash);
  if (!bytes) return std::unexpected(placed(std::move(bytes).error(), location));
  return bytes;
}

/// With the pack that it lies in and where; a base may lie in the same one, which is said once.
Error FrameReader::placed(Error error, const ChunkLocation& location) const {
  if (error.offset_bytes == Error::kNoOffset) error.offset_bytes = location.payload_offset;
  const auto key = parts_->pack_key(location.pack);
  if (!key || error.context.starts_with(*key)) return error;
  return std::move(error).within(*key);
}

Result<Bytes> FrameReader::read(const Digest& digest, const ChunkLocation& location) {
  CHUNKER_TRY_VOID(load(location));
  return chunk(digest, location);
}

ByteBuffer FrameReader::take() noexcept {
  held_.reset();
  return raw_.release();
}

}  // namespace chunker::store
