#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// How many characters a store path ("/nix/store/HASH-name") spells its hash with, five bits each.
inline constexpr std::size_t kStoreHashCharacters = 32;

/// The hash in a store path, as the 20 bytes that Nix itself spells as those characters. Every 32 characters
/// of its alphabet are some hash, and no two the same.
/// Owns:    its bytes.
/// Threads: shared.
/// Errors:  none.
/// Cost:    20 bytes.
struct StoreHash {
  static constexpr std::size_t kBytes = 20;

  std::array<std::byte, kBytes> bytes{};

  /// Reads the characters; nothing if one of them is not 0-9 or a-z without e, o, t and u.
  [[nodiscard]] static std::optional<StoreHash> parse(
      std::span<const std::byte, kStoreHashCharacters> characters) noexcept;
  [[nodiscard]] std::array<std::byte, kStoreHashCharacters> characters() const noexcept;

  friend auto operator<=>(const StoreHash&, const StoreHash&) = default;
};

/// The references of one NAR: what was taken out before it was cut (doc/format/references.md).
/// Owns:    its lists.
/// Threads: movable.
/// Errors:  none.
/// Cost:    20 bytes per distinct hash, 16 per reference.
struct References {
  struct Position {
    std::uint64_t offset_bytes;  ///< Of the 32 characters, not of the prefix.
    std::uint32_t hash_index;

    friend bool operator==(const Position&, const Position&) = default;
  };
  std::vector<StoreHash> hashes;    ///< Distinct, in the order of their first occurrence.
  std::vector<Position> positions;  ///< Ascending; they do not overlap.

  friend bool operator==(const References&, const References&) = default;
};

template <>
inline constexpr Threads threads_of<StoreHash> = Threads::shared;
template <>
inline constexpr Threads threads_of<References> = Threads::movable;

}  // namespace chunker
