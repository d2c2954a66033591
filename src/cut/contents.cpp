#include "cut/contents.hpp"

#include <algorithm>

namespace chunker::cut {

void drop_before(ContentsQueue& queue, std::uint64_t offset) noexcept {
  while (!queue.empty() && queue.front().padded_end() <= offset) queue.pop_front();
}

std::uint64_t place_cut(std::uint64_t cut, std::uint64_t chunk_start, std::uint64_t max_bytes,
                        const ContentsQueue& queue) noexcept {
  const auto behind = std::ranges::upper_bound(queue, cut, {}, &Contents::offset_bytes);
  if (behind != queue.begin() && cut < std::prev(behind)->end()) return cut;
  const std::uint64_t end = word_ceiling(cut);
  return end - chunk_start <= max_bytes ? end : word_floor(cut);
}

}  // namespace chunker::cut
