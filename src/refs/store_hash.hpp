#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>

#include "chunker/bytes.hpp"

// The hash in a store path ("/nix/store/HASH-name"): 32 characters of five bits each.
namespace chunker::refs {

inline constexpr std::size_t kStoreHashCharacters = 32;

/// The 20 bytes that Nix itself spells as those characters. Every 32 characters of its alphabet are some
/// hash, and no two the same.
struct StoreHash {
  static constexpr std::size_t kBytes = 20;

  std::array<std::byte, kBytes> bytes{};

  /// Reads the characters; nothing if one of them is not 0-9 or a-z without e, o, t and u.
  [[nodiscard]] static std::optional<StoreHash> parse(
      std::span<const std::byte, kStoreHashCharacters> characters) noexcept;
  [[nodiscard]] std::array<std::byte, kStoreHashCharacters> characters() const noexcept;

  friend auto operator<=>(const StoreHash&, const StoreHash&) = default;
};

}  // namespace chunker::refs
