#include "pipeline/frame_builder.hpp"

#include <algorithm>
#include <memory>

#include "base/catching.hpp"
#include "base/try.hpp"
#include "codec/info.hpp"
#include "codec/room.hpp"

namespace chunker::pipeline {
namespace {

using MaybeDelta = Result<std::optional<Delta>>;

}  // namespace

FrameBuilder::FrameBuilder(Store::Parts& parts, store::StoreWriter& writer,
                           FrameCompressor compressor)
    : parts_(&parts),
      writer_(&writer),
      compressor_(std::move(compressor)),
      // One object per chunk means one chunk per frame.
      frame_bytes_max_(parts.options.layout == StoreLayout::objects ? 0
                                                                    : store::kSharedFrameBytesMax),
      deltas_(parts) {}

Result<StoredBytes> FrameBuilder::put_new(std::span<const ChunkBytes> chunks,
                                          const SuggestBase& suggest_base,
                                          std::vector<Digest>& waits_for) {
  auto put = base::catching([&] { return claim_and_put(chunks, suggest_base, waits_for); });
  // Others may wait for what was claimed here.
  if (!put) writer_->fail(put.error());
  return put;
}

Result<StoredBytes> FrameBuilder::claim_and_put(std::span<const ChunkBytes> chunks,
                                                const SuggestBase& suggest_base,
                                                std::vector<Digest>& waits_for) {
  digests_.clear();
  for (const ChunkBytes& chunk : chunks) digests_.push_back(chunk.digest);
  const auto is_new = std::make_unique<bool[]>(chunks.size());
  CHUNKER_TRY_VOID(writer_->claim(digests_, {is_new.get(), chunks.size()}, waits_for));
  new_chunks_.clear();
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (is_new[i]) new_chunks_.push_back(chunks[i]);
  }
  StoredBytes stored;
  std::span<const ChunkBytes> rest(new_chunks_);
  while (!rest.empty()) {
    std::size_t count = 1;
    for (std::uint64_t bytes = rest[0].bytes.size(); count < rest.size(); ++count) {
      bytes += rest[count].bytes.size();
      if (bytes > frame_bytes_max_) break;
    }
    CHUNKER_TRY(const StoredBytes put, put_frame(rest.first(count), suggest_base));
    stored += put;
    rest = rest.subspan(count);
  }
  return stored;
}

Result<StoredBytes> FrameBuilder::put_frame(std::span<const ChunkBytes> chunks,
                                            const SuggestBase& suggest_base) {
  store::Frame frame;
  CHUNKER_TRY(const StoredBytes stored, parts_->memory->retrying([&] {
    frame = {};
    return make_frame(chunks, suggest_base, frame);
  }));
  CHUNKER_TRY_VOID(writer_->put_frame(std::move(frame)));
  return stored;
}

Result<StoredBytes> FrameBuilder::make_frame(std::span<const ChunkBytes> chunks,
                                             const SuggestBase& suggest_base, store::Frame& frame) {
  const Bytes raw = gather(chunks);
  ScratchBuffer plain(parts_->scratch);
  for (const ChunkBytes& chunk : chunks) {
    frame.record.chunks.push_back({chunk.digest, chunk.bytes.size()});
  }
  CHUNKER_TRY(auto delta, suggest_base
                              ? deltas_.encode(raw, frame.record.chunks, suggest_base(chunks))
                              : MaybeDelta());
  if (!delta || !delta->surely_smaller()) {
    ByteBuffer& payload = plain.emptied(codec::room_to_compress(raw.size()));
    CHUNKER_TRY(frame.record.codec, compressor_.compress(raw, payload));
    if (delta && !delta->clearly_smaller_than(static_cast<double>(payload.size()))) delta.reset();
  }
  StoredBytes stored{.chunks = chunks.size(), .raw_bytes = raw.size()};
  if (delta) {
    std::move(*delta).move_into(frame);
    stored.delta_raw_bytes = raw.size();
    stored.delta_stored_bytes = frame.payload.size();
  } else {
    if (suggest_base) CHUNKER_TRY_VOID(deltas_.remember());
    frame.payload = plain.release();
  }
  stored.stored_bytes = frame.record.payload_bytes = frame.payload.size();
  stored.codecs.push_back({codec::info_of(*parts_->options.codecs, frame.record.codec),
                           chunks.size(), raw.size(), frame.payload.size()});
  return stored;
}

Bytes FrameBuilder::gather(std::span<const ChunkBytes> chunks) {
  bool side_by_side = true;
  for (std::size_t i = 1; i < chunks.size(); ++i) {
    const Bytes before = chunks[i - 1].bytes;
    side_by_side = side_by_side && before.data() + before.size() == chunks[i].bytes.data();
  }
  if (side_by_side) {
    return {chunks.front().bytes.data(), chunks.back().bytes.data() + chunks.back().bytes.size()};
  }
  gathered_.clear();
  for (const ChunkBytes& chunk : chunks) gathered_.append(chunk.bytes);
  return gathered_;
}

}  // namespace chunker::pipeline
