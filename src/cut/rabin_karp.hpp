#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/recipe.hpp"

namespace chunker::cut {

/// Rabin's fingerprint of the last 48 bytes, rolled over the chunk; a cut is behind the byte where its low
/// bits are all ones (doc/format/recipe.md, doc/adr/0011).
/// Owns:    its state; copies share the tables.
/// Threads: movable.
/// Errors:  none after validate_params().
/// Cost:    about 1 ns per byte behind the minimum; 10 KiB of tables.
class RabinKarp {
 public:
  /// Irreducible over GF(2), of degree 53: the first at or above 2^53 plus 53 bits of pi's fraction.
  static constexpr std::uint64_t kPolynomial = 0x2487ed5110b4c1;
  static constexpr std::size_t kWindowBytes = 48;
  /// How far avg_bytes is above min_bytes at least: their difference sets how rare a cut is.
  static constexpr std::uint64_t kSpreadBytesMin = 64;

  [[nodiscard]] static Result<void> validate_params(const Recipe& recipe);

  /// `recipe` is valid.
  explicit RabinKarp(const Recipe& recipe);

  void restart(std::uint64_t seen_bytes) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> scan(Bytes& rest) noexcept;

 private:
  struct Plan;
  struct Rolled {
    std::size_t bytes;  // how many were taken
    bool cut;           // whether a chunk ends behind the last of them
  };

  [[nodiscard]] Rolled roll(const std::uint8_t* data, std::size_t size) noexcept;
  void remember(const std::uint8_t* data, std::size_t size) noexcept;

  std::shared_ptr<const Plan> plan_;
  std::uint64_t position_ = 0;  // bytes of the chunk that went by
  std::uint64_t fingerprint_ = 0;
  std::array<std::uint8_t, kWindowBytes> window_{};  // the last bytes, oldest first
};

}  // namespace chunker::cut
