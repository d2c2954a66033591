#pragma once

#include <cstdint>
#include <deque>

namespace chunker::cut {

/// A NAR is made of words of eight bytes: every string and every file's contents begin on one, and zeros
/// fill the last.
inline constexpr std::uint64_t kWordBytes = 8;

[[nodiscard]] constexpr std::uint64_t word_floor(std::uint64_t offset) noexcept {
  return offset & ~(kWordBytes - 1);
}
[[nodiscard]] constexpr std::uint64_t word_ceiling(std::uint64_t offset) noexcept {
  return word_floor(offset + kWordBytes - 1);
}

/// Where the contents of one regular file lie in an archive.
struct Contents {
  std::uint64_t offset_bytes;
  std::uint64_t size_bytes;  ///< Not 0.

  [[nodiscard]] std::uint64_t end() const noexcept { return offset_bytes + size_bytes; }
  /// Where the padding ends, which belongs to the chunk that holds the last byte.
  [[nodiscard]] std::uint64_t padded_end() const noexcept { return word_ceiling(end()); }
};

/// Contents in archive order.
using ContentsQueue = std::deque<Contents>;

/// Drops the contents that end, padding included, at or before `offset`.
void drop_before(ContentsQueue& queue, std::uint64_t offset) noexcept;

/// Where a natural cut is made if no boundary attracts it. Within contents it stays. Anywhere else it
/// would split a word, and what it cuts off could be padding: it moves to the word's end, or to its start
/// if the chunk, which began at `chunk_start`, would be larger than `max_bytes`.
[[nodiscard]] std::uint64_t place_cut(std::uint64_t cut, std::uint64_t chunk_start,
                                      std::uint64_t max_bytes, const ContentsQueue& queue) noexcept;

}  // namespace chunker::cut
