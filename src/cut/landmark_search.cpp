#include "cut/landmark_search.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace chunker::cut {
namespace {

using namespace std::string_view_literals;

// 1 for control characters but those that move the cursor.
constexpr auto kIsControl = [] {
  constexpr std::size_t kBackspace = 0x08, kCarriageReturn = 0x0d, kEscape = 0x1b, kSpace = 0x20,
                        kDelete = 0x7f;
  std::array<std::uint8_t, 256> table{};
  for (std::size_t byte = 0; byte < kSpace; ++byte) {
    table[byte] = byte != kEscape && (byte < kBackspace || byte > kCarriageReturn);
  }
  table[kDelete] = 1;
  return table;
}();

// A comment and a decorator belong to what follows them.
bool begins_a_definition(char first) noexcept {
  return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' ||
         first == '@' || first == '#' || first == '/';
}

// Compilers fill up with these, byte for byte, in front of what they align, or a function ends there: ret, int3,
// nop, and the last bytes of longer ones.
constexpr std::array kX86Ends = {"\xc3"sv,
                                 "\xcc"sv,
                                 "\x90"sv,
                                 "\x0f\x1f\x00"sv,
                                 "\x0f\x1f\x40\x00"sv,
                                 "\x0f\x1f\x44\x00\x00"sv,
                                 "\x0f\x1f\x80\x00\x00\x00\x00"sv,
                                 "\x0f\x1f\x84\x00\x00\x00\x00\x00"sv};
constexpr std::string_view kX86Endbr64 = "\xf3\x0f\x1e\xfa"sv;
constexpr std::uint64_t kX86AlignBytes = 16;

constexpr std::array kArm64Ends = {"\xc0\x03\x5f\xd6"sv, "\x1f\x20\x03\xd5"sv};  // ret, nop
constexpr std::uint64_t kArm64InstructionBytes = 4;

bool begins_function(std::string_view before, std::string_view behind, Machine machine) noexcept {
  const auto ends = [before](std::string_view end) { return before.ends_with(end); };
  if (machine == Machine::arm64) return std::ranges::any_of(kArm64Ends, ends);
  return behind.starts_with(kX86Endbr64) || std::ranges::any_of(kX86Ends, ends);
}

}  // namespace

bool begins_like_text(Bytes beginning) noexcept {
  // A block at a time: a branch for each byte costs more than all else that is done for small files.
  constexpr std::size_t kBlockBytes = 64;
  while (!beginning.empty()) {
    std::uint8_t control = 0;
    const Bytes block = beginning.first(std::min(beginning.size(), kBlockBytes));
    for (const std::byte byte : block) control |= kIsControl[std::to_integer<std::size_t>(byte)];
    if (control != 0) return false;
    beginning = beginning.subspan(block.size());
  }
  return true;
}

std::optional<std::size_t> last_line(Bytes window) noexcept {
  const std::size_t end = text_of(window).rfind('\n');
  return end == std::string_view::npos ? std::nullopt : std::optional(end + 1);
}

std::optional<std::size_t> last_definition(Bytes window) noexcept {
  const std::string_view text = text_of(window);
  // Of the line before, [previous + 1, end), both ends are known to be newlines.
  for (std::size_t end = text.rfind('\n'); end != std::string_view::npos && end != 0;) {
    const std::size_t previous = text.rfind('\n', end - 1);
    if (previous == std::string_view::npos) break;
    const std::string_view line = text.substr(previous + 1, end - previous - 1);
    const bool closes = line.empty() || line == "\r" || line.front() == '}';
    if (closes && end + 1 < text.size() && begins_a_definition(text[end + 1])) return end + 1;
    end = previous;
  }
  return std::nullopt;
}

std::optional<std::size_t> last_function(Bytes window, std::uint64_t offset,
                                         const Executable& executable) noexcept {
  if (executable.machine == Machine::other) return std::nullopt;
  const std::string_view text = text_of(window);
  const bool is_arm64 = executable.machine == Machine::arm64;
  const std::uint64_t step = is_arm64 ? kArm64InstructionBytes : kX86AlignBytes;
  const std::uint64_t last = (offset + text.size()) / step * step;
  for (std::uint64_t at = last; at >= offset && at != 0; at -= step) {
    const auto index = static_cast<std::size_t>(at - offset);
    if (begins_function(text.substr(0, index), text.substr(index), executable.machine))
      return index;
  }
  if (!is_arm64 || last < offset) return std::nullopt;
  return static_cast<std::size_t>(last - offset);
}

}  // namespace chunker::cut
