#pragma once

#include <cstdint>
#include <vector>

#include "chunker/bytes.hpp"
#include "cut/gear_kernel.hpp"

namespace chunker::cut {

/// Where a piece of a stream could be cut, found before anyone knows where its chunks begin: places after
/// which the hash of the last 48 bytes has none of a mask's bits. What a cutter mixes into its hash from the
/// beginning of a chunk on gives the same hash once it is 48 bytes, so it need not scan the piece again
/// (doc/adr/0014-one-file-on-many-threads.md).
/// Owns:    the places; the piece is borrowed.
/// Threads: movable.
/// Errors:  none; std::bad_alloc.
/// Cost:    8 bytes a place, at most half as many bytes as the piece has.
struct Candidates {
  struct Place {
    std::uint32_t index;  ///< In the piece, of the last byte of the window.
    bool before_center;   ///< Which masks it matches: one at least.
    bool after_center;
  };

  Bytes piece;  ///< Empty if nothing is known of any bytes.
  std::vector<Place> places;

  /// Whether `bytes` lie in the piece.
  [[nodiscard]] bool cover(Bytes bytes) const noexcept;
  /// The first place that matches in bytes `first` to `end` of the piece, as an index into the piece, or `end`; from
  /// `center` on the other mask counts. No window reaches beyond the piece: `first` is at least kWindowBytes - 1.
  [[nodiscard]] std::size_t next(std::size_t first, std::size_t end,
                                 std::size_t center) const noexcept;
};

/// The hash of `count` bytes at `data`; of the last 48 of them, as far as cuts are concerned.
[[nodiscard]] std::uint64_t hash_of(const GearTables& tables, const std::byte* data,
                                    std::size_t count) noexcept;

/// Finds the places of `piece`, which is smaller than 4 GiB. If there are more than one in sixteen bytes, which only
/// a few kinds of periodic input have, there is nothing to be gained, and `found` is left empty.
void find_candidates(const GearTables& tables, const GearMasks& masks, GearScan scan, Bytes piece,
                     Candidates& found);

}  // namespace chunker::cut
