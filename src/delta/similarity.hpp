#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// Finding a base for a chunk that has no older version under the same path: chunks that share much share
// features. A feature is the greatest value that one transform takes over windows of the chunk, so two chunks
// agree in it with the probability that their windows overlap (Broder, "On the resemblance and containment of
// documents", 1997; N-transform: Shilane et al., "WAN optimized replication of backup datasets", FAST 2012). The
// cheaper features of Finesse (Zhang et al., FAST 2019) find less.
// Features are not grouped into super-features, which would have to agree all together: that asks for more
// likeness than a delta frame needs. Figures: bench/RESULTS.md, "Similar chunks".
namespace chunker::delta {

inline constexpr std::size_t kFeatureCount = 4;

/// What a chunk is like. Part of the store's format: the same bytes have the same features for ever
/// (vectors/similarity.json). Values are spread evenly over all 64 bits, and no value of one feature is
/// compared with one of another.
struct Features {
  std::array<std::uint64_t, kFeatureCount> values;

  friend bool operator==(const Features&, const Features&) = default;
};

/// Of a chunk with this sample of windows (sample_windows()); none if it is empty. About 1 ns per window.
[[nodiscard]] std::optional<Features> features_of(std::span<const std::uint64_t> sample) noexcept;

}  // namespace chunker::delta
