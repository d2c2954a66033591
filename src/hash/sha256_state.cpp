#include "hash/sha256_state.hpp"

#include <algorithm>
#include <bit>
#include <concepts>

#include "base/wire.hpp"

namespace chunker::hash {
namespace {

template <std::unsigned_integral T>
void store_be(T value, std::byte* to) noexcept {
  base::store_le(std::byteswap(value), to);
}

}  // namespace

// end := the bytes behind the last whole block, a one bit, zeros, the length in bits.
Sha256End::Sha256End(Bytes rest, std::uint64_t message_bytes) noexcept
    : bytes{}, block_count(rest.size() + 1 + sizeof(std::uint64_t) <= kSha256BlockBytes ? 1 : 2) {
  std::ranges::copy(rest, bytes.begin());
  bytes[rest.size()] = std::byte{0x80};
  store_be(message_bytes * 8,
           bytes.data() + block_count * kSha256BlockBytes - sizeof(std::uint64_t));
}

Digest sha256_digest_of(std::span<const std::uint32_t, 8> state) noexcept {
  Digest digest;
  for (std::size_t i = 0; i < state.size(); ++i) {
    store_be(state[i], digest.bytes.data() + i * sizeof state[i]);
  }
  return digest;
}

const Sha256Kernel& sha256_kernel_for(std::span<const Sha256Kernel> kernels,
                                      std::size_t message_count) noexcept {
  const Sha256Kernel* widest = &kernels.front();
  for (const Sha256Kernel& kernel : kernels) {
    if (kernel.busy_lanes_min <= message_count) widest = &kernel;
  }
  return *widest;
}

void sha256_advance(const Sha256Kernel& kernel, std::span<Sha256Lane* const> going,
                    std::size_t block_count) noexcept {
  Sha256Lane idle_lanes[kSha256LanesMax];
  Sha256Lane* lanes[kSha256LanesMax];
  for (std::size_t i = 0; i < kernel.lane_count; ++i) {
    lanes[i] = &idle_lanes[i];
    if (i < going.size()) {
      lanes[i] = going[i];
    } else {
      idle_lanes[i] = *going[0];
    }
  }
  kernel.advance(lanes, block_count);
}

}  // namespace chunker::hash
