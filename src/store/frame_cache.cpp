#include "store/frame_cache.hpp"

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

Result<Bytes> DecodedFrame::chunk(const Digest& digest, const ChunkLocation& location,
                                  const HashAlgorithm& hash) {
  const std::pair place(location.offset_in_frame, location.chunk_bytes);
  {
    const base::Lock lock(mutex_);
    const auto known = known_.find(place);
    if (known != known_.end() && known->second.verified_as == digest) {
      return raw().subspan(static_cast<std::size_t>(place.first),
                           static_cast<std::size_t>(place.second));
    }
  }
  CHUNKER_TRY(const Bytes bytes, chunk_in_frame(raw(), digest, location, hash));
  const base::Lock lock(mutex_);
  known_.insert_or_assign(place, Known{digest, nullptr});
  return bytes;
}

Result<std::shared_ptr<const delta::WindowSample>> DecodedFrame::sample(
    const Digest& digest, const ChunkLocation& location, const HashAlgorithm& hash) {
  CHUNKER_TRY(const Bytes bytes, chunk(digest, location, hash));
  const std::pair place(location.offset_in_frame, location.chunk_bytes);
  {
    const base::Lock lock(mutex_);
    if (auto sample = known_.at(place).sample) return sample;
  }
  auto sample = std::make_shared<const delta::WindowSample>(delta::sample_windows(bytes));
  const base::Lock lock(mutex_);
  return known_.at(place).sample = std::move(sample);
}

std::shared_ptr<DecodedFrame> FrameCache::find(const ChunkLocation& location) {
  const base::Lock lock(mutex_);
  const auto place = places_.find(key_of(location));
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->frame;
}

FrameCache::FrameCache(MemoryBudget& budget)
    : budget_(budget),
      evictor_(budget.add_evictor([this](std::size_t bytes) { shrink_by(bytes); })) {}

void FrameCache::clear() {
  const base::Lock lock(mutex_);
  while (!entries_.empty()) drop_oldest();
}

void FrameCache::shrink_by(std::size_t bytes) {
  const base::Lock lock(mutex_);
  const std::uint64_t before = bytes_;
  while (!entries_.empty() && before - bytes_ < bytes) drop_oldest();
}

void FrameCache::drop_oldest() {
  const std::size_t bytes = entries_.back().frame->held_bytes();
  bytes_ -= bytes;
  budget_.let_go(bytes);
  places_.erase(entries_.back().key);
  entries_.pop_back();
}

void FrameCache::keep(const ChunkLocation& location, std::shared_ptr<DecodedFrame> frame) {
  const base::Lock lock(mutex_);
  const Key key = key_of(location);
  if (places_.contains(key)) return;
  const std::size_t bytes = frame->held_bytes();
  while (!budget_.try_keep(bytes)) {
    if (entries_.empty()) return;
    drop_oldest();
  }
  bytes_ += bytes;
  entries_.push_front({key, std::move(frame)});
  places_.emplace(key, entries_.begin());
  while (bytes_ > kBytesMax && entries_.size() > 1) drop_oldest();
}

}  // namespace chunker::store
