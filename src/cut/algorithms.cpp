#include "cut/algorithms.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <type_traits>

#include "base/try.hpp"
#include "cut/fast_cdc.hpp"
#include "cut/fixed.hpp"
#include "cut/params.hpp"
#include "cut/rabin_karp.hpp"

namespace chunker::cut {
namespace {

static_assert(ForesightedCutter<FastCdc> && Cutter<RabinKarp> && Cutter<Fixed>);

template <Cutter T>
AnyCutter make(const Recipe& recipe, const CutKernel& kernel) {
  if constexpr (std::is_constructible_v<T, const Recipe&, const CutKernel&>) {
    return AnyCutter::of(T(recipe, kernel));
  } else {
    return AnyCutter::of(T(recipe));
  }
}

constexpr std::array kAlgorithms = {
    Algorithm{ChunkingAlgorithm::fast_cdc, "fast_cdc", FastCdc::validate_params, make<FastCdc>},
    Algorithm{ChunkingAlgorithm::rabin_karp, "rabin_karp", RabinKarp::validate_params,
              make<RabinKarp>},
    Algorithm{ChunkingAlgorithm::fixed, "fixed", Fixed::validate_params, make<Fixed>},
};

}  // namespace

std::span<const Algorithm> algorithms() noexcept { return kAlgorithms; }

Result<const Algorithm*> validated_algorithm(const Recipe& recipe) {
  const auto found = std::ranges::find(kAlgorithms, recipe.algorithm, &Algorithm::id);
  if (found == kAlgorithms.end()) {
    return base::fail(ErrorCode::invalid_argument, "no chunking algorithm has this number",
                      Error::kNoOffset,
                      "algorithm is " + std::to_string(static_cast<unsigned>(recipe.algorithm)));
  }
  CHUNKER_TRY_VOID(found->validate_params(recipe));
  CHUNKER_TRY_VOID(check_range("nar_mode", static_cast<std::uint64_t>(recipe.nar_mode), 0,
                               static_cast<std::uint64_t>(NarMode::aligned)));
  return &*found;
}

}  // namespace chunker::cut
