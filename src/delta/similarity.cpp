#include "delta/similarity.hpp"

#include <algorithm>

#include "delta/splitmix.hpp"

namespace chunker::delta {
namespace {

struct Transforms {
  std::array<std::uint64_t, kFeatureCount> factors;
  std::array<std::uint64_t, kFeatureCount> addends;
};

// The first 256 numbers are left to tables.
constexpr Transforms make_transforms() noexcept {
  Transforms transforms{};
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    transforms.factors[i] = splitmix(256 + i) | 1;
    transforms.addends[i] = splitmix(256 + kFeatureCount + i);
  }
  return transforms;
}

constexpr Transforms kTransforms = make_transforms();

}  // namespace

std::optional<Features> features_of(std::span<const std::uint64_t> sample) noexcept {
  if (sample.empty()) return std::nullopt;
  Features features{};
  for (const std::uint64_t hash : sample) {
    for (std::size_t i = 0; i < kFeatureCount; ++i) {
      features.values[i] =
          std::max(features.values[i], hash * kTransforms.factors[i] + kTransforms.addends[i]);
    }
  }
  for (std::uint64_t& value : features.values) value = mixed(value);
  return features;
}

}  // namespace chunker::delta
