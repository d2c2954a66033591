#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"

namespace chunker::hash {

/// For each input the index of the first one with the same bytes; its own, if there is none before it. Of inputs
/// that agree in size and in a few sampled bytes without being equal, some repeats may go unseen.
/// Cost: 20 to 80 ns an input, and a comparison (50 GB/s) where the samples agree.
[[nodiscard]] std::vector<std::size_t> first_occurrences(std::span<const Bytes> inputs);

}  // namespace chunker::hash
