#pragma once

#include <cstdint>
#include <string_view>

#include "chunker/error.hpp"
#include "chunker/recipe.hpp"

namespace chunker::cut {

/// The least chunk of any algorithm: room for what cutters do not see and for the largest window.
inline constexpr std::uint64_t kMinBytesMin = 64;
/// The largest chunk of any algorithm. A caller keeps one in memory.
inline constexpr std::uint64_t kMaxBytesMax = 1ULL << 30;

/// Errors: invalid_argument, with the parameter, its value and its bounds as context.
[[nodiscard]] Result<void> check_range(std::string_view parameter, std::uint64_t value,
                                       std::uint64_t least, std::uint64_t most);

/// What holds for every algorithm: version 1, and 64 <= min <= avg <= max <= 1 GiB.
[[nodiscard]] Result<void> check_common_params(const Recipe& recipe);

/// log2 to the nearest integer; `value` is not 0 and below 2^31. A half never occurs, as 2^(k + 1/2) is
/// irrational.
[[nodiscard]] unsigned rounded_log2(std::uint64_t value) noexcept;

}  // namespace chunker::cut
