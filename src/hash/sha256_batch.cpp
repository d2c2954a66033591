#include "hash/sha256_batch.hpp"

#include <algorithm>
#include <bit>
#include <concepts>
#include <numeric>
#include <vector>

#include "base/wire.hpp"
#include "hash/sha256.hpp"

namespace chunker::hash {
namespace {

constexpr std::uint32_t kInitialState[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

template <std::unsigned_integral T>
void store_be(T value, std::byte* to) noexcept {
  base::store_le(std::byteswap(value), to);
}

/// One input on its way: first its whole blocks where they lie, then its padded end.
class Message {
 public:
  void start(Bytes input, Digest& digest) noexcept {
    digest_ = &digest;
    std::ranges::copy(kInitialState, lane_.state);
    lane_.next = input.data();
    blocks_left_ = input.size() / kSha256BlockBytes;
    pad(input);
    if (blocks_left_ == 0) go_to_end();
  }

  [[nodiscard]] std::size_t blocks_left() const noexcept { return blocks_left_; }
  [[nodiscard]] Sha256Lane& lane() noexcept { return lane_; }

  /// The lane went `block_count` blocks further. True once the digest is written.
  [[nodiscard]] bool went(std::size_t block_count) noexcept {
    blocks_left_ -= block_count;
    if (blocks_left_ != 0) return false;
    if (end_blocks_ != 0) {
      go_to_end();
      return false;
    }
    for (std::size_t i = 0; i < std::size(lane_.state); ++i) {
      store_be(lane_.state[i], digest_->bytes.data() + i * sizeof lane_.state[i]);
    }
    return true;
  }

 private:
  // end := the bytes behind the last whole block, a one bit, zeros, the length in bits.
  void pad(Bytes input) noexcept {
    const Bytes rest = input.last(input.size() % kSha256BlockBytes);
    end_blocks_ = rest.size() + 1 + sizeof(std::uint64_t) <= kSha256BlockBytes ? 1 : 2;
    const std::size_t end_bytes = end_blocks_ * kSha256BlockBytes;
    std::ranges::fill(end_, std::byte{0});
    std::ranges::copy(rest, end_.begin());
    end_[rest.size()] = std::byte{0x80};
    store_be(std::uint64_t{input.size()} * 8, end_.data() + end_bytes - sizeof(std::uint64_t));
  }

  void go_to_end() noexcept {
    lane_.next = end_.data();
    blocks_left_ = std::exchange(end_blocks_, 0);
  }

  Sha256Lane lane_;
  Digest* digest_ = nullptr;
  std::size_t blocks_left_ = 0;
  std::size_t end_blocks_ = 0;
  std::array<std::byte, 2 * kSha256BlockBytes> end_;
};

/// Up to four messages side by side.
class Lanes {
 public:
  explicit Lanes(const Sha256Kernel& kernel) noexcept : kernel_(kernel) {}
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  [[nodiscard]] bool idle() const noexcept { return busy_count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return busy_count_ == kCount; }

  void start(Bytes input, Digest& digest) noexcept { order_[busy_count_++]->start(input, digest); }

  /// Goes on until a message reaches its padded end, or the end of that.
  void advance() noexcept {
    std::size_t block_count = order_[0]->blocks_left();
    for (std::size_t i = 1; i < busy_count_; ++i) {
      block_count = std::min(block_count, order_[i]->blocks_left());
    }
    run(block_count);
    for (std::size_t i = busy_count_; i-- > 0;) {
      if (order_[i]->went(block_count)) std::swap(order_[i], order_[--busy_count_]);
    }
  }

 private:
  static constexpr std::size_t kCount = 4;

  void run(std::size_t block_count) noexcept {
    // Three go as four, of which the last repeats the first's work to no effect: that takes no longer.
    Sha256Lane spare = order_[0]->lane();
    Sha256Lane* const lanes[kCount] = {&order_[0]->lane(), &order_[1]->lane(), &order_[2]->lane(),
                                       full() ? &order_[3]->lane() : &spare};
    if (busy_count_ == 1) return kernel_.advance_one(lanes, block_count);
    if (busy_count_ == 2) return kernel_.advance_two(lanes, block_count);
    kernel_.advance_four(lanes, block_count);
  }

  const Sha256Kernel& kernel_;
  std::size_t busy_count_ = 0;
  Message messages_[kCount];
  Message* order_[kCount] = {&messages_[0], &messages_[1], &messages_[2],
                             &messages_[3]};  // Busy ones first.
};

// Longest first, so that no long one is left to run alone at the end.
std::vector<std::size_t> longest_first(std::span<const Bytes> inputs) {
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::ranges::greater{},
                    [&](std::size_t index) { return inputs[index].size(); });
  return order;
}

}  // namespace

void sha256_batch(std::span<const Bytes> inputs, std::span<Digest> digests,
                  const Sha256Kernel& kernel) {
  Lanes lanes(kernel);
  for (const std::size_t index : longest_first(inputs)) {
    while (lanes.full()) lanes.advance();
    lanes.start(inputs[index], digests[index]);
  }
  while (!lanes.idle()) lanes.advance();
}

void sha256_many(std::span<const Bytes> inputs, std::span<Digest> digests) {
  static const Sha256Kernel* const kernel = choose_sha256_kernel(base::detect_cpu_features());
  if (kernel != nullptr && inputs.size() > 1) return sha256_batch(inputs, digests, *kernel);
  std::ranges::transform(inputs, digests.begin(), sha256);
}

}  // namespace chunker::hash
