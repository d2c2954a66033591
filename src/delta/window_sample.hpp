#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"

// What two contents have in common, told from few of their windows. Of the windows of 32 bytes those are the
// sample whose first bytes have a small hash: the content alone decides, so what two contents share, their samples
// share. Content-defined sampling as in Odess (Zou et al., "Odess: speeding up resemblance detection for
// redundancy elimination by fast content-defined sampling", ICDE 2021).
namespace chunker::delta {

inline constexpr std::size_t kSampledWindowBytes = 32;
/// One window of so many is sampled.
inline constexpr std::size_t kSampledOneOf = 128;

/// Hashes of windows, in no order, some perhaps several times. The same bytes have the same ones for ever: features
/// are made of them (vectors/similarity.json).
using WindowSample = std::vector<std::uint64_t>;

/// Empty for what is shorter than a window. Several GB/s with AVX2. No more than one hash in 16 bytes, whatever the
/// content.
[[nodiscard]] WindowSample sample_windows(Bytes content);

/// Counts what of one content others have.
/// Owns:    a table of the content's sample; a list of what was taken last.
/// Threads: movable.
/// Errors:  none.
/// Cost:    16 bytes and about 2 ns per sampled window.
class SharedWindows {
 public:
  explicit SharedWindows(std::span<const std::uint64_t> content);

  /// How many windows of the content are in `other` and were taken from none before it. If they are fewer than
  /// `count_min`, none is taken: others may have them.
  [[nodiscard]] std::size_t take(std::span<const std::uint64_t> other, std::size_t count_min);
  /// How many different windows the content has.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept;

  std::vector<std::uint64_t> table_;  ///< Open addressing; 0 where nothing is.
  std::vector<bool> taken_;
  std::vector<std::size_t> places_;  ///< Those of the last take().
  std::size_t size_ = 0;
};

}  // namespace chunker::delta
