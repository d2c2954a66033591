#pragma once

#include <cstdint>
#include <optional>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/recipe.hpp"

namespace chunker::cut {

/// A cut every avg_bytes, whatever the content.
/// Owns:    its state.
/// Threads: movable.
/// Errors:  none after validate_params().
/// Cost:    none; the bytes are not looked at.
class Fixed {
 public:
  [[nodiscard]] static Result<void> validate_params(const Recipe& recipe);

  /// `recipe` is valid.
  explicit Fixed(const Recipe& recipe) noexcept : chunk_bytes_(recipe.avg_bytes) {}

  void restart(std::uint64_t seen_bytes) noexcept { position_ = seen_bytes; }
  [[nodiscard]] std::optional<std::uint64_t> scan(Bytes& rest) noexcept;

 private:
  std::uint64_t chunk_bytes_;
  std::uint64_t position_ = 0;
};

}  // namespace chunker::cut
