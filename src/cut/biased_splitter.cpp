#include <algorithm>
#include <array>

#include "cut/splitters.hpp"

namespace chunker::cut {

BiasedSplitter::BiasedSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks,
                               std::uint64_t offset_bytes)
    : cutter_(std::move(cutter)),
      landmarks_(landmarks),
      reach_(recipe.avg_bytes / 4),
      max_bytes_(recipe.max_bytes),
      start_(offset_bytes),
      at_(offset_bytes),
      seen_(offset_bytes),
      tail_(offset_bytes) {}

void BiasedSplitter::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  seen_ += piece.size();
  split(piece, false, chunks);
  // The next cut is made at most `reach_` before a natural one, and scanning starts again from there. A
  // natural cut yet to come lies at most one byte before where the cutter stands.
  const std::uint64_t natural = natural_.value_or(at_ - std::min<std::uint64_t>(at_, 1));
  tail_.keep_from(natural - std::min(natural, reach_) > start_ ? natural - reach_ : start_, piece);
}

void BiasedSplitter::finish(std::vector<ChunkExtent>& chunks) {
  split({}, true, chunks);
  if (seen_ != start_) chunks.push_back({start_, seen_ - start_});
}

// The piece ends at seen_; what lies before it is in the tail.
void BiasedSplitter::split(Bytes piece, bool last, std::vector<ChunkExtent>& chunks) {
  for (;;) {
    if (natural_) {
      // A boundary where the stream stands at present may not have been told yet; and the stream's end
      // is no cut.
      if (last ? seen_ == *natural_ : seen_ <= highest(*natural_)) return;
      const std::uint64_t cut = decide(*natural_);
      chunks.push_back({start_, cut - start_});
      natural_.reset();
      start_ = at_ = cut;
      cutter_.restart(0);
      drop_before(queue_, start_);
    }
    if (at_ == seen_) return;
    Bytes bytes = rest(piece);
    const std::uint64_t end = at_ + bytes.size();
    if (const auto length = cutter_.scan(bytes)) natural_ = start_ + *length;
    at_ = end - bytes.size();
  }
}

Bytes BiasedSplitter::rest(Bytes piece) const noexcept {
  const std::uint64_t begin = seen_ - piece.size();
  return at_ < begin ? tail_.from(at_) : piece.subspan(static_cast<std::size_t>(at_ - begin));
}

std::uint64_t BiasedSplitter::highest(std::uint64_t natural) const noexcept {
  return std::min(natural + reach_, start_ + max_bytes_);
}

std::uint64_t BiasedSplitter::decide(std::uint64_t natural) const {
  const std::uint64_t first = natural - start_ > reach_ ? natural - reach_ : start_ + 1;
  const std::uint64_t last = highest(natural);
  const auto distance = [natural](std::uint64_t b) {
    return b < natural ? natural - b : b - natural;
  };
  std::optional<std::uint64_t> nearest;
  for (const Contents& contents : queue_) {
    for (const std::uint64_t boundary : {contents.offset_bytes, contents.padded_end()}) {
      if (boundary < first || boundary > last) continue;
      if (!nearest || distance(boundary) < distance(*nearest)) nearest = boundary;
    }
  }
  if (nearest) return *nearest;
  const std::uint64_t cut = landmarks_ == nullptr ? natural : landmarks_->move(start_, natural);
  return place_cut(cut, start_, max_bytes_, queue_);
}

}  // namespace chunker::cut
