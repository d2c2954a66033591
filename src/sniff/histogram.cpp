#include "sniff/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace chunker::sniff {
namespace {

constexpr std::size_t kPieceBytes = 64, kPieceCount = 64;
static_assert(kPieceBytes * kPieceCount == kSampleBytesMax);

// Four counters per value take turns, so that runs of one value do not wait for their own counter.
class Counters {
 public:
  // `bytes` are a multiple of four, but for the last time.
  void add(Bytes bytes) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) {
      for (std::size_t k = 0; k < 4; ++k) ++counts_[k][std::to_integer<std::size_t>(bytes[i + k])];
    }
    for (; i < bytes.size(); ++i) ++counts_[0][std::to_integer<std::size_t>(bytes[i])];
    size_ += bytes.size();
  }

  [[nodiscard]] Histogram sum() const noexcept {
    Histogram histogram;
    histogram.size = size_;
    for (std::size_t value = 0; value < 256; ++value) {
      histogram.counts[value] = static_cast<std::uint16_t>(counts_[0][value] + counts_[1][value] +
                                                           counts_[2][value] + counts_[3][value]);
    }
    return histogram;
  }

 private:
  std::array<std::array<std::uint16_t, 256>, 4> counts_{};
  std::size_t size_ = 0;
};

}  // namespace

Histogram Histogram::of(Bytes bytes) noexcept {
  Counters counters;
  counters.add(bytes);
  return counters.sum();
}

Histogram Histogram::of_sample(Bytes bytes) noexcept {
  if (bytes.size() <= kSampleBytesMax) return of(bytes);
  Counters counters;
  const std::size_t span = bytes.size() - kPieceBytes;
  for (std::size_t i = 0; i < kPieceCount; ++i) {
    // span * i / (kPieceCount - 1), whatever the size.
    const std::size_t at =
        span / (kPieceCount - 1) * i + span % (kPieceCount - 1) * i / (kPieceCount - 1);
    counters.add(bytes.subspan(at, kPieceBytes));
  }
  return counters.sum();
}

std::size_t Histogram::count(unsigned first, unsigned last) const noexcept {
  return std::accumulate(counts.begin() + first, counts.begin() + last + 1, std::size_t{0});
}

std::size_t Histogram::most() const noexcept { return *std::ranges::max_element(counts); }

float Histogram::entropy() const noexcept {
  if (size == 0) return 0;
  float weighted = 0;
  int distinct = 0;
  for (const std::uint16_t count : counts) {
    if (count == 0) continue;
    ++distinct;
    weighted += static_cast<float>(count) * std::log2(static_cast<float>(count));
  }
  const auto total = static_cast<float>(size);
  const float lacking = static_cast<float>(distinct - 1) / (2 * total * std::numbers::ln2_v<float>);
  return std::clamp(std::log2(total) - weighted / total + lacking, 0.0F, 8.0F);
}

}  // namespace chunker::sniff
