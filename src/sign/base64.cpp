#include "sign/base64.hpp"

#include <array>

#include "base/check.hpp"

namespace chunker::sign {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned byte_at(Bytes bytes, std::size_t index) noexcept {
  return index < bytes.size() ? std::to_integer<unsigned>(bytes[index]) : 0;
}

}  // namespace

void to_base64(Bytes bytes, MutableBytes characters) noexcept {
  CHUNKER_CHECK(characters.size() == base64_characters(bytes.size()));
  for (std::size_t from = 0, to = 0; from < bytes.size(); from += 3, to += 4) {
    const unsigned group =
        byte_at(bytes, from) << 16 | byte_at(bytes, from + 1) << 8 | byte_at(bytes, from + 2);
    for (unsigned i = 0; i < 4; ++i) {
      const bool padding = from + i > bytes.size();
      characters[to + i] =
          static_cast<std::byte>(padding ? '=' : kDigits[group >> (18 - 6 * i) & 63]);
    }
  }
}

bool from_base64(std::string_view text, MutableBytes bytes) noexcept {
  if (text.size() != base64_characters(bytes.size())) return false;
  for (std::size_t from = 0, to = 0; from < text.size(); from += 4, to += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const bool padding = to + i > bytes.size();
      const auto digit = kDigits.find(text[from + i]);
      if (padding ? text[from + i] != '=' : digit == kDigits.npos) return false;
      group = group << 6 | static_cast<unsigned>(padding ? 0 : digit);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const unsigned value = group >> (16 - 8 * i) & 255;
      if (to + i < bytes.size()) {
        bytes[to + i] = static_cast<std::byte>(value);
      } else if (value != 0) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace chunker::sign
