#include "store/rewriter.hpp"

#include <utility>

#include "base/try.hpp"
#include "codec/builtin.hpp"
#include "codec/delta_frame.hpp"

namespace chunker::store {

Result<PackWriter*> Rewriter::output() {
  if (output_ && output_->bytes() >= parts_->options.pack_bytes_target) CHUNKER_TRY_VOID(close());
  if (!output_) {
    CHUNKER_TRY(output_, PackWriter::begin(*parts_));
  }
  return &*output_;
}

Result<void> Rewriter::close() {
  if (!output_) return {};
  CHUNKER_TRY(const std::uint64_t highest, parts_->index->highest_sequence());
  CHUNKER_TRY_VOID(output_->commit(highest + 1));
  output_.reset();
  ++packs_written_;
  return {};
}

Result<ByteBuffer> Rewriter::payload(PackNumber pack, std::uint64_t offset_bytes,
                                     std::uint64_t size_bytes) {
  CHUNKER_TRY(const std::string key, parts_->pack_key(pack));
  ByteBuffer buffer(static_cast<std::size_t>(size_bytes));
  CHUNKER_TRY_VOID(parts_->blobs->read(key, offset_bytes, buffer.span()));
  return buffer;
}

Result<void> Rewriter::copy(std::span<const LocatedChunk> chunks) {
  const ChunkLocation& frame = chunks.front().location;
  CHUNKER_TRY_VOID(reader_.load(frame));
  FrameRecord record;
  record.codec = frame.codec;
  record.flags = frame.flags;
  if ((frame.flags & kDeltaFrame) != 0) {
    CHUNKER_TRY(const auto base, parts_->base_of(frame));
    record.base = *base;
  }
  ByteBuffer raw;
  bool whole = true;
  for (const LocatedChunk& chunk : chunks) {
    CHUNKER_TRY(const Bytes bytes, reader_.chunk(chunk.digest, chunk.location));
    whole &= chunk.location.offset_in_frame == raw.size();
    raw.append(bytes);
    record.chunks.push_back({chunk.digest, chunk.location.chunk_bytes});
  }
  ByteBuffer bytes;
  if (whole && raw.size() == frame.frame_raw_bytes) {
    CHUNKER_TRY(bytes, payload(frame.pack, frame.payload_offset, frame.payload_bytes));
  } else {
    CHUNKER_TRY_VOID(compress(raw, record, bytes));
  }
  record.payload_bytes = bytes.size();
  return add_frame(std::move(record), bytes);
}

Result<void> Rewriter::compress(Bytes raw, const FrameRecord& record, ByteBuffer& payload) {
  if (record.base.empty()) {
    CHUNKER_TRY(const auto codec, parts_->options.codecs->by_id(record.codec));
    return codec.compress(raw, scratch_, payload);
  }
  ByteBuffer base;
  CHUNKER_TRY_VOID(reader_.read_base(record.base, base));
  return codec::compress_with_base(raw, base, codec::kDeltaLevel, scratch_, payload);
}

Result<void> Rewriter::add_frame(FrameRecord frame, Bytes payload) {
  // Each a pack of its own.
  const bool is_object = parts_->options.layout == StoreLayout::objects && frame.chunks.size() == 1;
  if (is_object) {
    CHUNKER_TRY_VOID(close());
    objects_written_.insert(chunk_key(frame.chunks.front().digest));
  }
  CHUNKER_TRY(PackWriter* const writer, output());
  CHUNKER_TRY_VOID(writer->add_frame(std::move(frame), payload));
  return is_object ? close() : Result<void>{};
}

Result<void> Rewriter::copy(const ManifestRecord& manifest, PackNumber pack,
                            std::uint64_t payload_offset) {
  CHUNKER_TRY(const ByteBuffer bytes, payload(pack, payload_offset, manifest.payload_bytes));
  CHUNKER_TRY(PackWriter* const writer, output());
  return writer->add_manifest(manifest, bytes);
}

Result<void> Rewriter::add(NameRecord name) {
  CHUNKER_TRY(PackWriter* const writer, output());
  return writer->add_name(std::move(name));
}

Result<void> Rewriter::add(RemovalRecord removal) {
  CHUNKER_TRY(PackWriter* const writer, output());
  return writer->add_removal(std::move(removal));
}

}  // namespace chunker::store
