#include "pipeline/delta_encoder.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "codec/builtin.hpp"
#include "codec/delta_frame.hpp"
#include "codec/room.hpp"

namespace chunker::pipeline {
namespace {

/// Less has too few windows to tell, and trying costs no more than looking first.
constexpr std::size_t kSampledBytesMin = 16 << 10;
/// A delta makes reading slower and keeps its base alive, so it has to be worth it.
constexpr double kVersionShareMax = 0.8;
/// It cannot be a base, either: what has no version before will have versions after it, which are more like it than
/// like anything else.
constexpr double kSimilarShareMax = 0.4;
/// How many similar chunks are looked at, for each chunk of the content.
constexpr std::size_t kSimilarPerChunk = 2;
/// A chunk that has less of the content than this, or than an eighth of itself, is not worth decoding for it.
constexpr std::uint64_t kSharedBytesMin = 4 << 10;
/// What shares less than one window of so many seldom makes a delta worth keeping (bench/RESULTS.md, "Delta
/// frames").
constexpr std::size_t kSharedOneOf = 8;

std::size_t windows_wanted(std::uint64_t chunk_bytes) noexcept {
  const std::uint64_t bytes = std::min(kSharedBytesMin, chunk_bytes / 8);
  return static_cast<std::size_t>((bytes + delta::kSampledOneOf - 1) / delta::kSampledOneOf);
}

}  // namespace

void Delta::move_into(store::Frame& frame) && {
  frame.record.codec = CodecId::zstd;
  frame.record.flags = store::kDeltaFrame;
  frame.record.base = std::move(base);
  frame.payload = payload.release();
}

/// Chunks in plain frames; for those that are deltas themselves their bases, so that no delta needs another.
Result<void> DeltaEncoder::add_candidates(std::span<const Digest> digests, bool may_nest) {
  CHUNKER_TRY(const auto locations, parts_->index->chunks(digests));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const auto& location = locations[i];
    if (!location) continue;
    if ((location->flags & store::kDeltaFrame) != 0) {
      if (!may_nest) continue;
      CHUNKER_TRY(const auto nested, parts_->base_of(*location));
      CHUNKER_TRY_VOID(add_candidates(*nested, false));
    } else if (std::ranges::find(candidates_, digests[i], &Candidate::digest) ==
               candidates_.end()) {
      candidates_.push_back({digests[i], *location});
    }
  }
  return {};
}

void DeltaEncoder::add(const Candidate& candidate, Bytes bytes, Base& base) {
  const auto& location = candidate.location;
  base_.append(bytes);
  base.chunks.push_back(candidate.digest);
  base.raw_bytes += bytes.size();
  base.stored_bytes += static_cast<double>(location.payload_bytes) *
                       static_cast<double>(bytes.size()) /
                       static_cast<double>(location.frame_raw_bytes);
}

/// Samples the chunks one by one, since each may be looked for by itself.
void DeltaEncoder::look_at(Bytes raw, std::span<const ChunkReference> chunks) {
  sample_.clear();
  features_.clear();
  if (raw.size() < kSampledBytesMin) return;
  for (const ChunkReference& chunk : chunks) {
    const Bytes bytes = raw.first(static_cast<std::size_t>(chunk.size_bytes));
    raw = raw.subspan(bytes.size());
    const delta::WindowSample sample = delta::sample_windows(bytes);
    sample_.insert(sample_.end(), sample.begin(), sample.end());
    if (bytes.size() < kSampledBytesMin) continue;
    if (auto features = delta::features_of(sample)) features_.emplace_back(chunk.digest, *features);
  }
}

/// Those of the suggested chunks that have something of the content; none if all together have too little.
Result<DeltaEncoder::Base> DeltaEncoder::choose_base(std::span<const Digest> suggested) {
  candidates_.clear();
  CHUNKER_TRY_VOID(add_candidates(suggested, true));
  Base base;
  base_.clear();
  if (candidates_.empty()) return base;
  delta::SharedWindows windows(sample_);
  std::size_t shared = 0;
  for (const Candidate& candidate : candidates_) {
    const auto& [digest, location] = candidate;
    if (base.chunks.size() == store::kBaseChunksMax) break;
    if (base.raw_bytes + location.chunk_bytes > kBaseBytesMax) continue;
    CHUNKER_TRY(const auto frame, reader_.base_frame(location));
    CHUNKER_TRY(const Bytes bytes, frame->chunk(digest, location, parts_->options.hash));
    if (!sample_.empty()) {
      CHUNKER_TRY(const auto sample, frame->sample(digest, location, parts_->options.hash));
      const std::size_t count = windows.take(*sample, windows_wanted(location.chunk_bytes));
      if (count == 0) continue;
      shared += count;
    }
    add(candidate, bytes, base);
  }
  if (shared * kSharedOneOf < windows.size()) return Base();
  return base;
}

Result<DeltaEncoder::Base> DeltaEncoder::choose_similar() {
  if (features_.empty()) return Base();
  CHUNKER_TRY(const auto similar,
              parts_->index->similar_chunks(features_, kSimilarPerChunk * features_.size()));
  return choose_base(similar);
}

Result<std::optional<Delta>> DeltaEncoder::encode(Bytes raw, std::span<const ChunkReference> chunks,
                                                  std::span<const Digest> suggested) {
  look_at(raw, chunks);
  if (raw.size() > codec::kDeltaContentBytesMax) return std::nullopt;
  auto base = choose_base(suggested);
  double share_max = kVersionShareMax;
  if (!base || base->chunks.empty()) {
    base = choose_similar();
    share_max = kSimilarShareMax;
  }
  if (!base || base->chunks.empty()) return std::nullopt;
  Delta delta{std::move(base->chunks), ScratchBuffer(parts_->scratch), 0, share_max};
  CHUNKER_TRY_VOID(
      codec::compress_with_base(raw, base_, codec::kDeltaLevel, scratch_,
                                delta.payload.emptied(codec::room_to_compress(raw.size()))));
  delta.expected_bytes =
      base->stored_bytes * static_cast<double>(raw.size()) / static_cast<double>(base->raw_bytes);
  return delta;
}

Result<void> DeltaEncoder::remember() {
  if (features_.empty()) return {};
  return parts_->index->note_features(features_);
}

}  // namespace chunker::pipeline
