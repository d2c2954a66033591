#include "hash/sha256_batch.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "hash/sha256.hpp"
#include "hash/sha256_state.hpp"

namespace chunker::hash {
namespace {

/// One input on its way: first its whole blocks where they lie, then its padded end.
class Message {
 public:
  void start(Bytes input, Digest& digest) noexcept {
    digest_ = &digest;
    std::ranges::copy(kSha256InitialState, lane_.state);
    lane_.next = input.data();
    blocks_left_ = input.size() / kSha256BlockBytes;
    end_ = Sha256End(input.last(input.size() % kSha256BlockBytes), input.size());
    end_is_ahead_ = true;
    if (blocks_left_ == 0) go_to_end();
  }

  [[nodiscard]] std::size_t blocks_left() const noexcept { return blocks_left_; }
  [[nodiscard]] Sha256Lane& lane() noexcept { return lane_; }

  /// The lane went `block_count` blocks further. True once the digest is written.
  [[nodiscard]] bool went(std::size_t block_count) noexcept {
    blocks_left_ -= block_count;
    if (blocks_left_ != 0) return false;
    if (end_is_ahead_) {
      go_to_end();
      return false;
    }
    *digest_ = sha256_digest_of(lane_.state);
    return true;
  }

 private:
  void go_to_end() noexcept {
    lane_.next = end_.bytes.data();
    blocks_left_ = end_.block_count;
    end_is_ahead_ = false;
  }

  Sha256Lane lane_;
  Digest* digest_ = nullptr;
  std::size_t blocks_left_ = 0;
  bool end_is_ahead_ = false;
  Sha256End end_{{}, 0};
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
    const Sha256Kernel& kernel = sha256_kernel_for(kernels_, busy_count_);
    const std::span busy(order_.data(), busy_count_);
    if (kernel.lane_count < busy_count_) {
      std::ranges::sort(busy, std::ranges::greater{}, &Message::blocks_left);
    }
    const std::size_t going_count = std::min(kernel.lane_count, busy_count_);
    const std::size_t block_count =
        (*std::ranges::min_element(busy.first(going_count), {}, &Message::blocks_left))
            ->blocks_left();
    std::array<Sha256Lane*, kSha256LanesMax> lanes;
    for (std::size_t i = 0; i < going_count; ++i) lanes[i] = &busy[i]->lane();
    sha256_advance(kernel, std::span(lanes).first(going_count), block_count);
    for (std::size_t i = going_count; i-- > 0;) {
      if (order_[i]->went(block_count)) std::swap(order_[i], order_[--busy_count_]);
    }
  }

 private:
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
  const auto kernels = sha256_kernels_here();
  if (!kernels.empty() && inputs.size() > 1) return sha256_batch(inputs, digests, kernels);
  std::ranges::transform(inputs, digests.begin(), sha256);
}

}  // namespace chunker::hash
