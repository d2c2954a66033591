#include "cut/candidates.hpp"

#include <algorithm>
#include <functional>

namespace chunker::cut {
namespace {

constexpr std::size_t kBytesPerPlaceMin = 16;

}  // namespace

bool Candidates::cover(Bytes bytes) const noexcept {
  const std::less_equal<const std::byte*> not_behind;  // the bytes may be of another buffer
  return !piece.empty() && not_behind(piece.data(), bytes.data()) &&
         not_behind(bytes.data() + bytes.size(), piece.data() + piece.size());
}

std::size_t Candidates::next(std::size_t first, std::size_t end,
                             std::size_t center) const noexcept {
  auto place = std::ranges::lower_bound(places, first, {}, &Place::index);
  for (; place != places.end() && place->index < end; ++place) {
    if (place->index < center ? place->before_center : place->after_center) return place->index;
  }
  return end;
}

std::uint64_t hash_of(const GearTables& tables, const std::byte* data, std::size_t count) noexcept {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < count; ++i) {
    hash = 2 * hash + tables.shifted[0][static_cast<std::uint8_t>(data[i])];
  }
  return hash;
}

// Looks for the bits that both masks have, then tells from the whole hash which of them matched.
void find_candidates(const GearTables& tables, const GearMasks& masks, GearScan scan, Bytes piece,
                     Candidates& found) {
  found.piece = {};
  found.places.clear();
  if (piece.size() < kWindowBytes) return;
  const std::uint64_t common = masks.before_center & masks.after_center;
  const GearMasks both{common, common};
  const auto* const data = reinterpret_cast<const std::uint8_t*>(piece.data());
  std::uint64_t hash = hash_of(tables, piece.data(), kWindowBytes - 1);
  for (std::size_t at = kWindowBytes - 1;; ++at) {
    at += scan(tables, both, data + at, piece.size() - at, 0, hash);
    if (at == piece.size()) break;
    if (found.places.size() > piece.size() / kBytesPerPlaceMin) {
      found.places.clear();
      return;
    }
    hash = hash_of(tables, piece.data() + at + 1 - kWindowBytes, kWindowBytes);
    const bool before = (hash & masks.before_center) == 0;
    const bool after = (hash & masks.after_center) == 0;
    if (before || after) found.places.push_back({static_cast<std::uint32_t>(at), before, after});
  }
  found.piece = piece;
}

}  // namespace chunker::cut
