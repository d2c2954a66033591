#pragma once

#include "chunker/algorithm.hpp"

namespace chunker::base {

/// To be called where an algorithm is about to be used: a deprecated one is told of once per process (R21.6).
void warn_if_deprecated(const AlgorithmInfo& algorithm);

}  // namespace chunker::base
