#pragma once

#include <span>
#include <string_view>

#include "chunker/error.hpp"
#include "chunker/recipe.hpp"
#include "cut/cutter.hpp"
#include "cut/kernels.hpp"

namespace chunker::cut {

/// One chunking algorithm: what checks its parameters and what makes its cutter.
struct Algorithm {
  ChunkingAlgorithm id;
  std::string_view name;
  Result<void> (*validate_params)(const Recipe& recipe);
  AnyCutter (*make)(const Recipe& valid_recipe, const CutKernel& kernel);
};

/// All algorithms (R21.1); the default first.
[[nodiscard]] std::span<const Algorithm> algorithms() noexcept;

/// The algorithm of a recipe, once its own validate_params() and the NAR mode's bounds hold (R21.4).
/// Errors: invalid_argument naming the parameter and its bounds.
[[nodiscard]] Result<const Algorithm*> validated_algorithm(const Recipe& recipe);

}  // namespace chunker::cut
