#include "delta/window_sample.hpp"

#include <bit>

#include "delta/window_scan.hpp"

namespace chunker::delta {
namespace {

// Repetitive content may sample each of its windows.
constexpr std::size_t kBytesPerSampleMin = 16;
// At most half of a table is full: more probes than this need hashes made to collide, which then go uncounted.
constexpr std::size_t kProbesMax = 64;
constexpr std::size_t kNoPlace = ~std::size_t{0};

}  // namespace

WindowSample sample_windows(Bytes content) {
  static const WindowScan scan = choose_window_scan(base::detect_cpu_features());
  WindowSample sample;
  if (content.size() < kSampledWindowBytes) return sample;
  sample.reserve(content.size() / kSampledOneOf + 1);
  scan(reinterpret_cast<const std::uint8_t*>(content.data()),
       content.size() - kSampledWindowBytes + 1, content.size() / kBytesPerSampleMin, sample);
  return sample;
}

SharedWindows::SharedWindows(std::span<const std::uint64_t> content)
    : table_(std::bit_ceil(2 * content.size() + 1)), taken_(table_.size()) {
  for (const std::uint64_t hash : content) {
    const std::size_t place = place_of(hash);
    if (place == kNoPlace || table_[place] == hash) continue;
    table_[place] = hash;
    ++size_;
  }
}

std::size_t SharedWindows::place_of(std::uint64_t hash) const noexcept {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = 0; i < kProbesMax; ++i) {
    const std::size_t place = (hash + i) & mask;
    if (table_[place] == 0 || table_[place] == hash) return place;
  }
  return kNoPlace;
}

std::size_t SharedWindows::take(std::span<const std::uint64_t> other, std::size_t count_min) {
  places_.clear();
  for (const std::uint64_t hash : other) {
    const std::size_t place = place_of(hash);
    if (place == kNoPlace || table_[place] == 0 || taken_[place]) continue;
    taken_[place] = true;
    places_.push_back(place);
  }
  if (places_.size() >= count_min) return places_.size();
  for (const std::size_t place : places_) taken_[place] = false;
  return 0;
}

}  // namespace chunker::delta
