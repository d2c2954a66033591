#include "cut/params.hpp"

#include <bit>
#include <string>

#include "base/try.hpp"

namespace chunker::cut {

Result<void> check_range(std::string_view parameter, std::uint64_t value, std::uint64_t least,
                         std::uint64_t most) {
  if (least <= value && value <= most) return {};
  return base::fail(ErrorCode::invalid_argument, "the recipe has a parameter out of its bounds",
                    Error::kNoOffset,
                    std::string(parameter) + " is " + std::to_string(value) + ", allowed are " +
                        std::to_string(least) + " to " + std::to_string(most));
}

Result<void> check_common_params(const Recipe& recipe) {
  CHUNKER_TRY_VOID(check_range("version", recipe.version, 1, 1));
  CHUNKER_TRY_VOID(check_range("max_bytes", recipe.max_bytes, kMinBytesMin, kMaxBytesMax));
  CHUNKER_TRY_VOID(check_range("avg_bytes", recipe.avg_bytes, kMinBytesMin, recipe.max_bytes));
  return check_range("min_bytes", recipe.min_bytes, kMinBytesMin, recipe.avg_bytes);
}

unsigned rounded_log2(std::uint64_t value) noexcept {
  const auto floor = static_cast<unsigned>(std::bit_width(value) - 1);
  // value >= 2^(floor + 1/2), squared.
  return (value * value) >> (2 * floor + 1) != 0 ? floor + 1 : floor;
}

}  // namespace chunker::cut
