#include "cli/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace chunker::cli {

Statistics statistics_of(std::span<const double> values) noexcept {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  const double average = std::reduce(values.begin(), values.end()) / count;
  double squares = 0;
  for (const double value : values) squares += (value - average) * (value - average);
  return {.peak = std::ranges::max(values),
          .average = average,
          .deviation = values.size() == 1 ? 0 : std::sqrt(squares / (count - 1))};
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

}  // namespace chunker::cli
