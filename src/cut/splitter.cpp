#include "cut/splitter.hpp"

#include <algorithm>

#include "cut/splitters.hpp"

namespace chunker::cut {
namespace {

std::unique_ptr<Splitter> make_by_mode(const Recipe& recipe, AnyCutter cutter,
                                       std::uint64_t offset_bytes) {
  switch (recipe.nar_mode) {
    case NarMode::off:
      break;
    case NarMode::biased:
      return std::make_unique<BiasedSplitter>(recipe, std::move(cutter), offset_bytes);
    case NarMode::aligned:
      return std::make_unique<AlignedSplitter>(recipe, std::move(cutter), offset_bytes);
  }
  return std::make_unique<BlindSplitter>(std::move(cutter), offset_bytes, recipe.max_bytes,
                                         kWordBytes);
}

}  // namespace

std::unique_ptr<Splitter> make_plain_splitter(AnyCutter cutter) {
  return std::make_unique<BlindSplitter>(std::move(cutter), 0, 0, 0);
}

std::unique_ptr<Splitter> make_nar_splitter(const Recipe& recipe, AnyCutter cutter) {
  if (recipe.header_chunk) return std::make_unique<HeaderSplitter>(recipe, std::move(cutter));
  return make_by_mode(recipe, std::move(cutter), 0);
}

HeaderSplitter::HeaderSplitter(const Recipe& recipe, AnyCutter cutter)
    : recipe_(recipe), cutter_(std::move(cutter)) {}

void HeaderSplitter::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  if (!behind_) {
    const std::uint64_t begin = seen_;
    seen_ += piece.size();
    const std::uint64_t end = queue_.empty() ? seen_ : std::min(seen_, queue_.front().offset_bytes);
    for (const std::uint64_t most = word_floor(recipe_.max_bytes); end - start_ >= most;
         start_ += most) {
      chunks.push_back({start_, most});
    }
    if (queue_.empty() || end != queue_.front().offset_bytes) return;
    if (end != start_) chunks.push_back({start_, end - start_});
    behind_ = make_by_mode(recipe_, std::move(cutter_), end);
    piece = piece.subspan(static_cast<std::size_t>(end - begin));
  }
  for (const Contents& contents : queue_) behind_->add(contents);
  queue_.clear();
  behind_->feed(piece, chunks);
}

void HeaderSplitter::finish(std::vector<ChunkExtent>& chunks) {
  if (behind_) return behind_->finish(chunks);
  if (seen_ != start_) chunks.push_back({start_, seen_ - start_});
}

}  // namespace chunker::cut
