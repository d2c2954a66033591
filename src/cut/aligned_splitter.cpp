#include <algorithm>

#include "cut/splitters.hpp"

namespace chunker::cut {

AlignedSplitter::AlignedSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks,
                                 std::uint64_t offset_bytes)
    : cutter_(std::move(cutter), landmarks, offset_bytes),
      min_bytes_(recipe.min_bytes),
      max_bytes_(recipe.max_bytes),
      start_(offset_bytes),
      at_(offset_bytes) {}

void AlignedSplitter::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  const std::uint64_t begin = at_;
  const std::uint64_t end = begin + piece.size();
  find_boundary();
  for (;;) {
    if (due_) {
      at_ = std::min(*due_, end);
      if (at_ != *due_) return;
      due_.reset();
      cut_at(at_, chunks);
    } else if (at_ == next_) {
      at_boundary(chunks);
      find_boundary();
    } else if (at_ != end) {
      const std::uint64_t until = std::min(next_.value_or(end), end);
      Bytes rest = piece.subspan(static_cast<std::size_t>(at_ - begin),
                                 static_cast<std::size_t>(until - at_));
      const auto length = cutter_.scan(rest);
      at_ = until - rest.size();
      if (length) at_natural_cut(start_ + *length, chunks);
    } else {
      return;
    }
  }
}

void AlignedSplitter::finish(std::vector<ChunkExtent>& chunks) {
  if (at_ != start_) chunks.push_back({start_, at_ - start_});
}

void AlignedSplitter::find_boundary() noexcept {
  if (inside_) {
    next_ = queue_.front().end();
    return;
  }
  // A natural cut may lie one byte before where the cutter stands; contents that end before are done with.
  drop_before(queue_, at_ == 0 ? 0 : at_ - 1);
  const auto large = std::ranges::find_if(
      queue_, [this](const Contents& contents) { return contents.size_bytes >= min_bytes_; });
  next_ = large == queue_.end() ? std::nullopt : std::optional(large->offset_bytes);
}

void AlignedSplitter::at_boundary(std::vector<ChunkExtent>& chunks) {
  if (!inside_) {
    drop_before(queue_, at_);
    inside_ = true;
    cut_at(at_, chunks);
    return;
  }
  const std::uint64_t padded_end = queue_.front().padded_end();
  queue_.pop_front();
  inside_ = false;
  // The padding belongs to the last chunk; if that leaves it too large, the last word is one of its own.
  if (padded_end - start_ > max_bytes_) cut_at(padded_end - kWordBytes, chunks);
  due_ = padded_end;
}

void AlignedSplitter::at_natural_cut(std::uint64_t cut, std::vector<ChunkExtent>& chunks) {
  if (inside_) {
    if (cut != next_) cut_at(cut, chunks);  // or else the boundary decides
    return;
  }
  const std::uint64_t placed = place_cut(cut, start_, max_bytes_, queue_);
  if (placed <= at_) {
    cut_at(placed, chunks);
  } else {
    due_ = placed;
  }
}

void AlignedSplitter::cut_at(std::uint64_t offset, std::vector<ChunkExtent>& chunks) {
  if (offset != start_) chunks.push_back({start_, offset - start_});
  start_ = offset;
  cutter_.restart(offset, at_);
}

}  // namespace chunker::cut
