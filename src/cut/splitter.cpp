#include "cut/splitter.hpp"

#include <algorithm>

#include "cut/splitters.hpp"

namespace chunker::cut {
namespace {

// Longer than any stream, and far from where offsets wrap around.
constexpr std::uint64_t kStreamBytesMax = std::uint64_t{1} << 62;

std::unique_ptr<Splitter> make_by_mode(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks,
                                       std::uint64_t offset_bytes) {
  switch (recipe.nar_mode) {
    case NarMode::off:
      break;
    case NarMode::biased:
      return std::make_unique<BiasedSplitter>(recipe, std::move(cutter), landmarks, offset_bytes);
    case NarMode::aligned:
      return std::make_unique<AlignedSplitter>(recipe, std::move(cutter), landmarks, offset_bytes);
  }
  return std::make_unique<BlindSplitter>(std::move(cutter), landmarks, offset_bytes,
                                         recipe.max_bytes, kWordBytes);
}

// Makes a splitter by `make(landmarks)`, and lets landmarks go ahead of it if the recipe prefers any.
template <class Make>
std::unique_ptr<Splitter> guided_if_preferred(const Recipe& recipe, const Make& make) {
  if (!recipe.has_landmarks()) return make(nullptr);
  auto landmarks = std::make_unique<Landmarks>(recipe, 0);
  auto behind = make(landmarks.get());
  return std::make_unique<GuidedSplitter>(std::move(landmarks), std::move(behind));
}

}  // namespace

std::unique_ptr<Splitter> make_plain_splitter(const Recipe& recipe, AnyCutter cutter) {
  auto splitter = guided_if_preferred(recipe, [&](Landmarks* landmarks) {
    return std::make_unique<BlindSplitter>(std::move(cutter), landmarks, 0, 0, 0);
  });
  if (recipe.has_landmarks()) splitter->add({0, kStreamBytesMax});
  return splitter;
}

std::unique_ptr<Splitter> make_nar_splitter(const Recipe& recipe, AnyCutter cutter) {
  return guided_if_preferred(recipe, [&](Landmarks* landmarks) -> std::unique_ptr<Splitter> {
    if (!recipe.header_chunk) return make_by_mode(recipe, std::move(cutter), landmarks, 0);
    return std::make_unique<HeaderSplitter>(recipe, std::move(cutter), landmarks);
  });
}

void GuidedSplitter::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  for (const Contents& contents : queue_) {
    landmarks_->add(contents);
    behind_->add(contents);
  }
  queue_.clear();
  while (!piece.empty()) {
    const Bytes step = piece.first(std::min(piece.size(), kStepBytes));
    piece = piece.subspan(step.size());
    landmarks_->see(step);
    behind_->feed(step, chunks);
    landmarks_->forget();
  }
}

void GuidedSplitter::finish(std::vector<ChunkExtent>& chunks) { behind_->finish(chunks); }

HeaderSplitter::HeaderSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks)
    : recipe_(recipe), cutter_(std::move(cutter)), landmarks_(landmarks) {}

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
    behind_ = make_by_mode(recipe_, std::move(cutter_), landmarks_, end);
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
