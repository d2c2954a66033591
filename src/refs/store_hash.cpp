#include <string_view>

#include "chunker/references.hpp"

namespace chunker {
namespace {

constexpr std::string_view kDigits = "0123456789abcdfghijklmnpqrsvwxyz";
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values;
  values.fill(kNoDigit);
  for (std::uint8_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<std::uint8_t>(kDigits[i])] = i;
  }
  return values;
}();

// Eight characters are 40 bits, five bytes. Nix writes the last bits first: the last eight characters are the
// first five bytes, and inside them the highest digit and the highest byte lie on opposite sides.
constexpr std::size_t kGroupCount = 4, kGroupCharacters = 8, kGroupBytes = 5;

constexpr std::size_t first_character(std::size_t group) noexcept {
  return (kGroupCount - 1 - group) * kGroupCharacters;
}

}  // namespace

std::optional<StoreHash> StoreHash::parse(
    std::span<const std::byte, kStoreHashCharacters> characters) noexcept {
  StoreHash hash;
  for (std::size_t group = 0; group < kGroupCount; ++group) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < kGroupCharacters; ++i) {
      const auto character = std::to_integer<std::uint8_t>(characters[first_character(group) + i]);
      if (kValues[character] == kNoDigit) return std::nullopt;
      bits = bits << 5 | kValues[character];
    }
    for (std::size_t i = 0; i < kGroupBytes; ++i) {
      hash.bytes[group * kGroupBytes + i] = static_cast<std::byte>(bits >> (8 * i) & 0xFF);
    }
  }
  return hash;
}

std::array<std::byte, kStoreHashCharacters> StoreHash::characters() const noexcept {
  std::array<std::byte, kStoreHashCharacters> text;
  for (std::size_t group = 0; group < kGroupCount; ++group) {
    std::uint64_t bits = 0;
    for (std::size_t i = kGroupBytes; i-- > 0;) {
      bits = bits << 8 | std::to_integer<std::uint64_t>(bytes[group * kGroupBytes + i]);
    }
    for (std::size_t i = kGroupCharacters; i-- > 0; bits >>= 5) {
      text[first_character(group) + i] = static_cast<std::byte>(kDigits[bits & 31]);
    }
  }
  return text;
}

}  // namespace chunker
