#pragma once

#include <span>
#include <vector>

namespace chunker::cli {

/// What several measurements of one thing come to.
struct Statistics {
  double peak = 0;
  double average = 0;
  double deviation = 0;  ///< The standard deviation of a sample; 0 of a single measurement.
};

/// All zero of nothing.
[[nodiscard]] Statistics statistics_of(std::span<const double> values) noexcept;

/// The least of `values` that `share` of them do not exceed; 0 of nothing. `share` lies between 0 and 1.
[[nodiscard]] double quantile(std::vector<double> values, double share);

}  // namespace chunker::cli
