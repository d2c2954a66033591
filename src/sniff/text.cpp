#include "sniff/text.hpp"

#include <bit>

namespace chunker::sniff {
namespace {

constexpr unsigned kBackspace = 0x08, kCarriageReturn = 0x0d, kEscape = 0x1b, kDelete = 0x7f;
constexpr unsigned kIso8859First = 0xa0;  // 0x80 to 0x9f are control characters there.
constexpr std::size_t kIso8859PercentMax = 30;

bool has_utf16_mark(Bytes bytes) noexcept {
  const std::string_view text = text_of(bytes);
  return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
}

bool continues(std::byte byte) noexcept { return (byte & std::byte{0xc0}) == std::byte{0x80}; }

// Well-formed as far as lengths go, which is more than enough to tell it from anything else. A character may be
// cut at both ends.
bool is_utf8(Bytes bytes) noexcept {
  std::size_t i = 0;
  while (i < bytes.size() && i < 3 && continues(bytes[i])) ++i;
  while (i < bytes.size()) {
    const int ones = std::countl_one(std::to_integer<std::uint8_t>(bytes[i++]));
    if (ones == 1 || ones > 4) return false;
    for (int k = 1; k < ones && i < bytes.size(); ++k) {
      if (!continues(bytes[i++])) return false;
    }
  }
  return true;
}

}  // namespace

bool is_text(Bytes bytes, const Histogram& histogram) noexcept {
  if (bytes.empty()) return false;
  if (has_utf16_mark(bytes)) return true;
  const std::size_t control = histogram.count(0, kBackspace - 1) +
                              histogram.count(kCarriageReturn + 1, kEscape - 1) +
                              histogram.count(kEscape + 1, 0x1f) + histogram.counts[kDelete];
  if (control != 0) return false;
  const std::size_t iso8859 = histogram.count(kIso8859First, 0xff);
  const std::size_t beyond_ascii = iso8859 + histogram.count(0x80, kIso8859First - 1);
  if (beyond_ascii == 0 || is_utf8(bytes)) return true;
  return beyond_ascii == iso8859 && iso8859 * 100 <= bytes.size() * kIso8859PercentMax;
}

}  // namespace chunker::sniff
