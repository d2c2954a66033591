#include "chunker/sign.hpp"

namespace chunker {
namespace {

constexpr std::string_view kDigits = "0123456789abcdfghijklmnpqrsvwxyz";

std::size_t characters(std::size_t byte_count) noexcept { return (byte_count * 8 + 4) / 5; }

}  // namespace

// Digit k, counted from the end of the text, is bits 5k to 5k+4 of the bytes read as one little-endian number.
std::string to_nix_base32(Bytes bytes) {
  std::string text(characters(bytes.size()), '0');
  for (std::size_t k = 0; k < text.size(); ++k) {
    const std::size_t at = k * 5 / 8, shift = k * 5 % 8;
    unsigned pair = std::to_integer<unsigned>(bytes[at]);
    if (at + 1 < bytes.size()) pair |= std::to_integer<unsigned>(bytes[at + 1]) << 8;
    text[text.size() - 1 - k] = kDigits[pair >> shift & 31];
  }
  return text;
}

bool from_nix_base32(std::string_view text, MutableBytes out) noexcept {
  if (text.size() != characters(out.size())) return false;
  for (std::byte& b : out) b = std::byte{0};
  for (std::size_t k = 0; k < text.size(); ++k) {
    const auto digit = kDigits.find(text[text.size() - 1 - k]);
    if (digit == kDigits.npos) return false;
    const std::size_t at = k * 5 / 8, shift = k * 5 % 8;
    const std::size_t pair = digit << shift;
    out[at] |= static_cast<std::byte>(pair & 255);
    if (at + 1 < out.size()) {
      out[at + 1] |= static_cast<std::byte>(pair >> 8);
    } else if (pair >> 8 != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace chunker
