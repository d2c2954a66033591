#include "cut/tail.hpp"

#include <algorithm>

namespace chunker::cut {

Bytes Tail::from(std::uint64_t offset) const noexcept {
  return Bytes(bytes_).last(static_cast<std::size_t>(end_ - offset));
}

void Tail::keep_from(std::uint64_t offset, Bytes piece) {
  const std::uint64_t forgotten = std::min(offset, end_) - begin();
  dropped_ += static_cast<std::size_t>(forgotten);
  if (dropped_ * 2 >= bytes_.size()) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(dropped_));
    dropped_ = 0;
  }
  end_ += piece.size();
  const Bytes kept =
      piece.last(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end_ - offset)));
  bytes_.insert(bytes_.end(), kept.begin(), kept.end());
}

}  // namespace chunker::cut
