#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "chunker/bytes.hpp"

// Finding a base for a chunk that has no older version under the same path: chunks that share much share
// features. A feature is the greatest value that one transform takes over windows of the chunk, so two chunks
// agree in it with the probability that their windows overlap (Broder, "On the resemblance and containment of
// documents", 1997; N-transform: Shilane et al., "WAN optimized replication of backup datasets", FAST 2012).
// Windows are hashed by gear and sampled by their content before they are transformed, as in Odess (Zou et al.,
// "Odess: speeding up resemblance detection for redundancy elimination by fast content-defined sampling", ICDE
// 2021); the cheaper features of Finesse (Zhang et al., FAST 2019) find less.
// Features are not grouped into super-features, which would have to agree all together: that asks for more
// likeness than a delta frame needs. Figures: bench/RESULTS.md, "Similar chunks".
namespace chunker::delta {

inline constexpr std::size_t kFeatureCount = 4;
inline constexpr std::size_t kFeatureBytesMin = 1024;  // Below this too few windows are sampled.

/// What a chunk is like. Part of the store's format: the same bytes have the same features for ever
/// (vectors/similarity.json). Values are spread evenly over all 64 bits, and no value of one feature is
/// compared with one of another.
struct Features {
  std::array<std::uint64_t, kFeatureCount> values;

  friend bool operator==(const Features&, const Features&) = default;
};

/// None for chunks under kFeatureBytesMin, and for those of which no window is sampled. About 3 GB/s.
[[nodiscard]] std::optional<Features> features_of(Bytes chunk) noexcept;

/// In how many features two chunks agree. One is worth a try: of such pairs in the development corpus three
/// quarters made a delta frame that was at least a tenth smaller.
[[nodiscard]] std::size_t agreement(const Features& a, const Features& b) noexcept;

}  // namespace chunker::delta
