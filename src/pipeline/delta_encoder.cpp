#include "pipeline/delta_encoder.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "codec/builtin.hpp"
#include "codec/delta_frame.hpp"

namespace chunker::pipeline {

void Delta::move_into(store::Frame& frame) && {
  frame.record.codec = CodecId::zstd;
  frame.record.flags = store::kDeltaFrame;
  frame.record.base = std::move(base);
  frame.payload = std::move(payload);
}

/// Adds chunks in plain frames; for those that are deltas themselves their bases, so that no delta needs another.
Result<void> DeltaEncoder::add_plain(std::span<const Digest> digests, Base& base, bool may_nest) {
  CHUNKER_TRY(const auto locations, parts_->index->chunks(digests));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const auto& location = locations[i];
    if (!location || base.chunks.size() == store::kBaseChunksMax) continue;
    if ((location->flags & store::kDeltaFrame) != 0) {
      if (!may_nest) continue;
      CHUNKER_TRY(const auto nested, parts_->base_of(*location));
      CHUNKER_TRY_VOID(add_plain(*nested, base, false));
      continue;
    }
    if (base.raw_bytes + location->chunk_bytes > kBaseBytesMax) continue;
    if (std::ranges::find(base.chunks, digests[i]) != base.chunks.end()) continue;
    base.chunks.push_back(digests[i]);
    base.raw_bytes += location->chunk_bytes;
    base.stored_bytes += static_cast<double>(location->payload_bytes) *
                         static_cast<double>(location->chunk_bytes) /
                         static_cast<double>(location->frame_raw_bytes);
  }
  return {};
}

Result<std::optional<Delta>> DeltaEncoder::encode(Bytes raw, std::span<const Digest> suggested) {
  Base base;
  if (raw.size() > codec::kDeltaContentBytesMax) return std::nullopt;
  if (!add_plain(suggested, base, true) || base.chunks.empty()) return std::nullopt;
  base_.clear();
  if (!reader_.read_base(base.chunks, base_)) return std::nullopt;
  Delta delta{std::move(base.chunks), {}, 0};
  CHUNKER_TRY_VOID(
      codec::compress_with_base(raw, base_, codec::kZstdLevel, scratch_, delta.payload));
  delta.expected_bytes =
      base.stored_bytes * static_cast<double>(raw.size()) / static_cast<double>(base.raw_bytes);
  return delta;
}

}  // namespace chunker::pipeline
