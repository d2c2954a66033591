#pragma once

#include <array>
#include <cstdint>

#include "chunker/bytes.hpp"

namespace chunker::sniff {

inline constexpr std::size_t kSampleBytesMax = 4096;

/// How often each byte value occurs in a sample of at most kSampleBytesMax bytes.
struct Histogram {
  std::array<std::uint16_t, 256> counts{};
  std::size_t size = 0;

  /// Of all of `bytes`, which are no more than kSampleBytesMax.
  [[nodiscard]] static Histogram of(Bytes bytes) noexcept;
  /// Of 64 pieces of 64 bytes, the first at the beginning, the last at the end; of all if that is no more.
  [[nodiscard]] static Histogram of_sample(Bytes bytes) noexcept;

  /// How many values are from `first` to `last`.
  [[nodiscard]] std::size_t count(unsigned first, unsigned last) const noexcept;
  /// How often the most frequent value occurs.
  [[nodiscard]] std::size_t most() const noexcept;
  /// Of order 0 in bits per byte, with what so small a sample lacks on average added (Miller and Madow, 1955).
  [[nodiscard]] float entropy() const noexcept;
};

}  // namespace chunker::sniff
