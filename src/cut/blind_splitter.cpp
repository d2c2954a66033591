#include "cut/splitters.hpp"

namespace chunker::cut {

BlindSplitter::BlindSplitter(AnyCutter cutter, Landmarks* landmarks, std::uint64_t offset_bytes,
                             std::uint64_t max_bytes, std::uint64_t last_bytes_min)
    : cutter_(std::move(cutter), landmarks, offset_bytes),
      max_bytes_(max_bytes),
      last_bytes_min_(last_bytes_min),
      start_(offset_bytes),
      at_(offset_bytes) {}

void BlindSplitter::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  const std::uint64_t end = at_ + piece.size();
  for (;;) {
    const auto length = cutter_.scan(piece);
    at_ = end - piece.size();
    if (!length) break;
    if (held_) chunks.push_back(*held_);
    held_ = ChunkExtent{start_, *length};
    start_ += *length;
    cutter_.restart(start_, at_);
  }
  if (held_ && at_ - start_ >= last_bytes_min_) {
    chunks.push_back(*held_);
    held_.reset();
  }
}

void BlindSplitter::finish(std::vector<ChunkExtent>& chunks) {
  std::uint64_t last_bytes = at_ - start_;
  if (held_ && last_bytes != 0) {  // held only because the last chunk is too small
    if (held_->size_bytes + last_bytes <= max_bytes_) {
      held_->size_bytes += last_bytes;
      last_bytes = 0;
    } else {
      held_->size_bytes -= last_bytes_min_ - last_bytes;
      start_ -= last_bytes_min_ - last_bytes;
      last_bytes = last_bytes_min_;
    }
  }
  if (held_) chunks.push_back(*held_);
  if (last_bytes != 0) chunks.push_back({start_, last_bytes});
}

}  // namespace chunker::cut
