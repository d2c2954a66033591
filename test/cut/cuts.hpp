#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "chunker/bytes.hpp"
#include "cut/algorithms.hpp"

namespace chunker::cut {

/// How many bytes to feed next.
using PieceSize = std::function<std::size_t()>;

inline PieceSize all_at_once() {
  return [] { return SIZE_MAX; };
}

/// Mostly tiny pieces, some large ones: cuts and windows meet every kind of border.
inline PieceSize random_pieces(std::uint64_t seed) {
  return [random = std::mt19937_64(seed)]() mutable {
    const std::uint64_t kind = random() % 4;
    return 1 + random() % (kind == 0 ? 2 : kind == 1 ? 70 : kind == 2 ? 1500 : 40000);
  };
}

/// The natural cuts of a whole stream, its end included.
inline std::vector<std::uint64_t> natural_cuts(AnyCutter cutter, Bytes bytes,
                                               const PieceSize& piece_size) {
  std::vector<std::uint64_t> cuts;
  std::uint64_t start = 0;
  std::uint64_t seen = 0;
  while (seen != bytes.size()) {
    Bytes rest = bytes.subspan(seen, std::min(piece_size(), bytes.size() - seen));
    const std::uint64_t end = seen + rest.size();
    while (const auto length = cutter.scan(rest)) {
      start += *length;
      cuts.push_back(start);
      cutter.restart(end - rest.size() - start);
    }
    seen = end;
  }
  if (start != seen) cuts.push_back(seen);
  return cuts;
}

/// The kernels that this processor can run.
inline std::vector<CutKernel> kernels_here() {
  std::vector<CutKernel> here;
  const base::CpuFeatures cpu = base::detect_cpu_features();
  std::ranges::copy_if(kernels(), std::back_inserter(here),
                       [&cpu](const CutKernel& kernel) { return kernel.runs_on(cpu); });
  return here;
}

}  // namespace chunker::cut
