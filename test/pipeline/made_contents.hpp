#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "cut/vectors.hpp"

// Files that look like text or machine code, as in tools/reference_cut.py.
namespace chunker {

inline std::string unhex(std::string_view digits) {
  std::string bytes(digits.size() / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = 0;
    std::from_chars(digits.data() + 2 * i, digits.data() + 2 * i + 2, value, 16);
    bytes[i] = static_cast<char>(value);
  }
  return bytes;
}

inline std::string noise(std::size_t size, std::uint64_t seed) {
  return std::string(text_of(cut::xorshift(size, seed)));
}

inline std::string made_text(std::size_t size, std::uint64_t seed) {
  const std::string special =
      std::string(10, '\n') + std::string(4, '}') + "\r\t" + std::string(48, ' ');
  std::string text = noise(size, seed);
  for (char& c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    c = byte < special.size() ? special[byte] : static_cast<char>(0x21 + byte % 94);
  }
  return text;
}

// Noise; at some multiples of `step` it looks as if a function began.
inline std::string made_code(std::size_t size, std::uint64_t seed, std::size_t step,
                             std::span<const std::string_view> places) {
  std::string code = noise(size, seed);
  for (std::size_t at = step; at + step < size; at += step) {
    const auto byte = static_cast<std::uint8_t>(code[at]);
    if (byte >= 64) continue;
    const std::string_view place = places[byte % places.size()];
    const bool is_behind = place.starts_with('\xf3');  // endbr64
    code.replace(is_behind ? at : at - place.size(), place.size(), place);
  }
  return code;
}

inline std::string contents_of(const nlohmann::ordered_json& kind_size_head) {
  using namespace std::string_view_literals;
  constexpr std::array kX86 = {"\xc3"sv,
                               "\xcc"sv,
                               "\x90"sv,
                               "\x0f\x1f\0"sv,
                               "\x0f\x1f\x40\0"sv,
                               "\x0f\x1f\x44\0\0"sv,
                               "\x0f\x1f\x80\0\0\0\0"sv,
                               "\x0f\x1f\x84\0\0\0\0\0"sv,
                               "\xf3\x0f\x1e\xfa"sv};
  constexpr std::array kArm64 = {"\xc0\x03\x5f\xd6"sv, "\x1f\x20\x03\xd5"sv};
  const auto kind = kind_size_head.at(0).get<std::string>();
  const auto size = kind_size_head.at(1).get<std::size_t>();
  const std::string head = unhex(kind_size_head.at(2).get<std::string>());
  const std::string body = kind == "text"  ? made_text(size, size + 1)
                           : kind == "x86" ? made_code(size, size + 1, 16, kX86)
                                           : made_code(size, size + 1, 4, kArm64);
  return (head + body.substr(std::min(head.size(), size))).substr(0, size);
}

}  // namespace chunker
