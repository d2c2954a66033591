#pragma once

#include <cstdint>

namespace chunker::delta {

/// A bijection that spreads bits: the finalizer of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
constexpr std::uint64_t mixed(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// The number that splitmix64, begun at 0, gives after `index` others.
constexpr std::uint64_t splitmix(std::uint64_t index) noexcept {
  return mixed((index + 1) * 0x9e3779b97f4a7c15);
}

}  // namespace chunker::delta
