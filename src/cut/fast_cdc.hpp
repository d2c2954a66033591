#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/recipe.hpp"
#include "cut/candidates.hpp"
#include "cut/kernels.hpp"

namespace chunker::cut {

/// FastCDC, bit-exact with fastcdc-rs `v2020` (doc/format/recipe.md).
/// Owns:    its state; copies share the tables.
/// Threads: movable.
/// Errors:  none after validate_params().
/// Cost:    that of the kernel per byte behind the minimum, nothing for those before it; 9 KiB of tables.
class FastCdc {
 public:
  static constexpr std::uint64_t kAvgBytesMin = 256;
  static constexpr std::uint64_t kAvgBytesMax = 4
                                                << 20;  ///< 22 bits and level 3 end the mask table.
  static constexpr std::uint64_t kMaxBytesMin = 1024;
  static constexpr std::uint64_t kNormalizationMax = 3;

  [[nodiscard]] static Result<void> validate_params(const Recipe& recipe);

  /// `recipe` is valid.
  FastCdc(const Recipe& recipe, const CutKernel& kernel);

  void restart(std::uint64_t seen_bytes) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> scan(Bytes& rest) noexcept;
  void find_candidates(Bytes piece, Candidates& found) const;
  void follow(const Candidates& candidates) noexcept { candidates_ = &candidates; }

 private:
  struct Plan;

  [[nodiscard]] std::size_t find_match(Bytes bytes, std::size_t center) noexcept;
  [[nodiscard]] std::size_t scan_for_match(Bytes bytes, std::size_t center) noexcept;

  std::shared_ptr<const Plan> plan_;
  std::uint64_t position_ = 0;  // bytes of the chunk that went by
  std::uint64_t hash_ = 0;
  const Candidates* candidates_ = nullptr;
  bool match_held_ = false;  // the last byte matched, and needs one byte behind it to count
};

}  // namespace chunker::cut
