#pragma once

#include <span>
#include <string_view>

#include "chunker/algorithm.hpp"
#include "chunker/algorithm_use.hpp"

namespace chunker::base {

/// To be called where an algorithm is about to be used: a deprecated one is told of once per process (R21.6).
void warn_if_deprecated(const AlgorithmInfo& algorithm);

/// One line for each of `uses`, between what was done and to what (chunker/log.hpp); without a listener one load.
void trace_uses(std::string_view what, std::span<const AlgorithmUse> uses,
                std::string_view to_what);

}  // namespace chunker::base
