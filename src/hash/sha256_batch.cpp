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

/// Messages under way, as many as the widest kernel has lanes.
class Lanes {
 public:
  explicit Lanes(std::span<const Sha256Kernel> kernels)
      : kernels_(kernels), messages_(kernels.back().lane_count) {
    for (Message& message : messages_) order_.push_back(&message);
  }
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  [[nodiscard]] bool idle() const noexcept { return busy_count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return busy_count_ == messages_.size(); }

  void start(Bytes input, Digest& digest) noexcept { order_[busy_count_++]->start(input, digest); }

  /// Goes on until a message reaches its padded end, or the end of that. Those furthest from their ends go
  /// first where not all can, so that no long one is left to run alone.
  void advance() {
    const Sha256Kernel& kernel = widest_for(busy_count_);
    const std::span busy(order_.data(), busy_count_);
    if (kernel.lane_count < busy_count_) {
      std::ranges::sort(busy, std::ranges::greater{}, &Message::blocks_left);
    }
    const std::size_t going_count = std::min(kernel.lane_count, busy_count_);
    const std::size_t block_count =
        (*std::ranges::min_element(busy.first(going_count), {}, &Message::blocks_left))
            ->blocks_left();
    run(kernel, busy.first(going_count), block_count);
    for (std::size_t i = going_count; i-- > 0;) {
      if (order_[i]->went(block_count)) std::swap(order_[i], order_[--busy_count_]);
    }
  }

 private:
  [[nodiscard]] const Sha256Kernel& widest_for(std::size_t message_count) const noexcept {
    const Sha256Kernel* widest = &kernels_.front();
    for (const Sha256Kernel& kernel : kernels_) {
      if (kernel.busy_lanes_min <= message_count) widest = &kernel;
    }
    return *widest;
  }

  // Lanes that have no message of their own repeat the first one's work, to no effect.
  static void run(const Sha256Kernel& kernel, std::span<Message* const> going,
                  std::size_t block_count) noexcept {
    Sha256Lane idle_lanes[kSha256LanesMax];
    Sha256Lane* lanes[kSha256LanesMax];
    for (std::size_t i = 0; i < kernel.lane_count; ++i) {
      lanes[i] = &idle_lanes[i];
      if (i < going.size()) {
        lanes[i] = &going[i]->lane();
      } else {
        idle_lanes[i] = going[0]->lane();
      }
    }
    kernel.advance(lanes, block_count);
  }

  std::span<const Sha256Kernel> kernels_;
  std::vector<Message> messages_;
  std::vector<Message*> order_;  // Busy ones first.
  std::size_t busy_count_ = 0;
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
                  std::span<const Sha256Kernel> kernels) {
  Lanes lanes(kernels);
  for (const std::size_t index : longest_first(inputs)) {
    while (lanes.full()) lanes.advance();
    lanes.start(inputs[index], digests[index]);
  }
  while (!lanes.idle()) lanes.advance();
}

void sha256_many(std::span<const Bytes> inputs, std::span<Digest> digests) {
  static const auto kernels = sha256_kernels_on(base::detect_cpu_features());
  if (!kernels.empty() && inputs.size() > 1) return sha256_batch(inputs, digests, kernels);
  std::ranges::transform(inputs, digests.begin(), sha256);
}

}  // namespace chunker::hash
