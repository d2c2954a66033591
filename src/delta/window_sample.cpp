#include "delta/window_sample.hpp"

#include <algorithm>
#include <bit>

#include "delta/splitmix.hpp"

namespace chunker::delta {
namespace {

// hash = 4 * hash + gear[byte]: a byte has left all 64 bits after 32 steps.
constexpr unsigned kShift = 2;
// The bits that depend on most of the window are zero. A more frequent sample finds no more, and its branch
// mispredicts more often.
constexpr std::uint64_t kSampledBelow = ~std::uint64_t{0} / kSampledOneOf + 1;
// Repetitive content may sample each of its windows.
constexpr std::size_t kBytesPerSampleMin = 16;
// So many places are hashed side by side, because each hash waits for the one before.
constexpr std::size_t kLaneCount = 4;

using Lane = const std::uint8_t*;

constexpr std::array<std::uint64_t, 256> make_gear() noexcept {
  std::array<std::uint64_t, 256> gear{};
  for (std::size_t i = 0; i < gear.size(); ++i) gear[i] = splitmix(i);
  return gear;
}

constexpr std::array<std::uint64_t, 256> kGear = make_gear();

inline std::uint64_t step(std::uint64_t hash, std::uint8_t byte) noexcept {
  return (hash << kShift) + kGear[byte];
}

// The hash of all of a window but its last byte.
std::uint64_t hash_before(Lane window) noexcept {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i + 1 < kSampledWindowBytes; ++i) hash = step(hash, window[i]);
  return hash;
}

class Collector {
 public:
  explicit Collector(std::size_t content_bytes) : max_(content_bytes / kBytesPerSampleMin) {
    sample_.reserve(content_bytes / kSampledOneOf + kLaneCount);
  }
  void look_at(std::uint64_t hash) {
    if (hash < kSampledBelow) [[unlikely]]
      add(hash);
  }
  [[nodiscard]] WindowSample take() && { return std::move(sample_); }

 private:
  // Of a run of equal windows one is enough.
  [[gnu::noinline]] void add(std::uint64_t hash) {
    const bool again = !sample_.empty() && sample_.back() == hash;
    if (!again && sample_.size() < max_) sample_.push_back(hash);
  }

  WindowSample sample_;
  std::size_t max_;
};

// Looks at the first `count` windows of each lane. Written out lane by lane, since g++ does not unroll at -O2.
void scan(const std::array<Lane, kLaneCount>& lanes, std::size_t count, Collector& sample) {
  std::uint64_t hash0 = hash_before(lanes[0]), hash1 = hash_before(lanes[1]);
  std::uint64_t hash2 = hash_before(lanes[2]), hash3 = hash_before(lanes[3]);
  constexpr std::size_t kLast = kSampledWindowBytes - 1;
  for (std::size_t last = kLast; last < count + kLast; ++last) {
    sample.look_at(hash0 = step(hash0, lanes[0][last]));
    sample.look_at(hash1 = step(hash1, lanes[1][last]));
    sample.look_at(hash2 = step(hash2, lanes[2][last]));
    sample.look_at(hash3 = step(hash3, lanes[3][last]));
  }
}

}  // namespace

WindowSample sample_windows(Bytes content) {
  Collector sample(content.size());
  if (content.size() < kSampledWindowBytes) return {};
  const auto* const data = reinterpret_cast<const std::uint8_t*>(content.data());
  const std::size_t window_count = content.size() - kSampledWindowBytes + 1;
  const std::size_t lane_windows = (window_count + kLaneCount - 1) / kLaneCount;
  // Lanes overlap where the windows do not divide evenly; such windows are seen twice.
  std::array<Lane, kLaneCount> lanes;
  for (std::size_t k = 0; k < kLaneCount; ++k) {
    lanes[k] = data + std::min(k * lane_windows, window_count - lane_windows);
  }
  scan(lanes, lane_windows, sample);
  return std::move(sample).take();
}

SharedWindows::SharedWindows(std::span<const std::uint64_t> content)
    : table_(std::bit_ceil(2 * content.size() + 1)), taken_(table_.size()) {
  for (const std::uint64_t hash : content) {
    std::uint64_t& slot = table_[place_of(hash)];
    if (slot == 0 && hash != 0) ++size_;
    slot = hash;
  }
}

// The bits that sampling left free are as good as random.
std::size_t SharedWindows::place_of(std::uint64_t hash) const noexcept {
  const std::size_t mask = table_.size() - 1;
  std::size_t place = (hash >> 25) & mask;
  while (table_[place] != 0 && table_[place] != hash) place = (place + 1) & mask;
  return place;
}

std::size_t SharedWindows::take(std::span<const std::uint64_t> other) noexcept {
  std::size_t count = 0;
  for (const std::uint64_t hash : other) {
    const std::size_t place = place_of(hash);
    if (table_[place] == 0 || taken_[place]) continue;
    taken_[place] = true;
    ++count;
  }
  return count;
}

}  // namespace chunker::delta
