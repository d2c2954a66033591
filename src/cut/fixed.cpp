#include "cut/fixed.hpp"

#include <algorithm>

#include "base/try.hpp"
#include "cut/params.hpp"

namespace chunker::cut {

Result<void> Fixed::validate_params(const Recipe& recipe) {
  CHUNKER_TRY_VOID(check_common_params(recipe));
  // A seed is meant to hide cut points; here it would hide nothing.
  return check_range("seed", recipe.seed, 0, 0);
}

std::optional<std::uint64_t> Fixed::scan(Bytes& rest) noexcept {
  const std::uint64_t count = std::min<std::uint64_t>(rest.size(), chunk_bytes_ - position_);
  rest = rest.subspan(static_cast<std::size_t>(count));
  position_ += count;
  return position_ == chunk_bytes_ ? std::optional(position_) : std::nullopt;
}

}  // namespace chunker::cut
