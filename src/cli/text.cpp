#include "cli/text.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <ctime>
#include <limits>

#include "base/utf8.hpp"
#include "chunker/sign.hpp"
#include "sign/base64.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Of one character in UTF-8. C1 controls (U+0080 to U+009F) drive terminals too.
bool is_control(std::string_view character) noexcept {
  const auto first = static_cast<unsigned char>(character.front());
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

/// Turns the order of what is printed around it, and so can make one name look like another: U+061C, U+200E, U+200F,
/// U+202A to U+202E, U+2066 to U+2069 (Unicode's property Bidi_Control).
bool is_bidi_control(std::string_view character) noexcept {
  const auto in = [character](std::string_view first, std::string_view last) {
    return character >= first && character <= last;
  };
  return character == "\xD8\x9C" || in("\xE2\x80\x8E", "\xE2\x80\x8F") ||
         in("\xE2\x80\xAA", "\xE2\x80\xAE") || in("\xE2\x81\xA6", "\xE2\x81\xA9");
}

bool is_plain(std::string_view name) noexcept {
  while (!name.empty()) {
    const std::string_view character = name.substr(0, base::utf8_bytes(name));
    if (character.empty() || is_control(character) || is_bidi_control(character)) return false;
    name.remove_prefix(character.size());
  }
  return true;
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0 of the smaller unit.
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string with_commas(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t count, std::string_view noun, std::string_view plural) {
  if (count == 1) return fmt::format("1 {}", noun);
  if (!plural.empty()) return fmt::format("{} {}", with_commas(count), plural);
  return fmt::format("{} {}s", with_commas(count), noun);
}

std::string duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "-";
  if (seconds < 1) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string utc_time(std::uint64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "-";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (suffix.empty() || suffix == "B") return value;
  const std::size_t unit = std::string_view("KMGT").find(suffix.front());
  if (unit == std::string_view::npos) return std::nullopt;
  suffix.remove_prefix(1);
  if (!suffix.empty() && suffix != "iB") return std::nullopt;
  const auto shift = 10 * (unit + 1);
  if (value > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return value << shift;
}

std::string short_bytes(std::uint64_t bytes) {
  const auto unit = bytes == 0 ? 0 : std::min(std::countr_zero(bytes) / 10, 4);
  if (unit == 0) return std::to_string(bytes);
  return fmt::format("{}{}", bytes >> (10 * unit), "KMGT"[unit - 1]);
}

std::string printable(std::string_view name) {
  if (is_plain(name)) return std::string(name);
  std::string quoted = "$'";
  while (!name.empty()) {
    const std::size_t length = base::utf8_bytes(name);
    const std::string_view character = name.substr(0, length == 0 ? 1 : length);
    if (character == "'" || character == "\\") {
      quoted.append("\\").append(character);
    } else if (is_plain(character)) {
      quoted.append(character);
    } else {
      for (const char c : character) {
        quoted.append(fmt::format("\\{:03o}", static_cast<unsigned char>(c)));
      }
    }
    name.remove_prefix(character.size());
  }
  return quoted.append("'");
}

std::string json_text(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    const std::size_t length = base::utf8_bytes(name);
    const std::string_view character = name.substr(0, length == 0 ? 1 : length);
    if (length != 0 && character != kReplacement) {
      text.append(character);
    } else {
      for (const char c : character) {
        text.append(kReplacement).append(fmt::format("{:02x}", static_cast<unsigned char>(c)));
      }
    }
    name.remove_prefix(character.size());
  }
  return text;
}

std::optional<Digest> parse_sri(std::string_view text) noexcept {
  constexpr std::string_view kPrefix = "sha256-";
  Digest digest;
  if (!text.starts_with(kPrefix)) return std::nullopt;
  if (!sign::from_base64(text.substr(kPrefix.size()), digest.bytes)) return std::nullopt;
  return digest;
}

std::string nix_hash(const Digest& sha256) { return "sha256:" + to_nix_base32(sha256.view()); }

}  // namespace chunker::cli
