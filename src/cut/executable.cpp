#include "cut/executable.hpp"

#include <algorithm>
#include <string_view>

namespace chunker::cut {
namespace {

using namespace std::string_view_literals;

// Integers at any offset of a header in either byte order; 0 beyond its end.
class Fields {
 public:
  Fields(Bytes bytes, bool big_endian) noexcept : bytes_(bytes), big_endian_(big_endian) {}

  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t size) const noexcept {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  [[nodiscard]] std::uint64_t number(std::uint64_t offset, std::size_t size) const noexcept {
    if (!holds(offset, size)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t at = static_cast<std::size_t>(offset) + (big_endian_ ? i : size - 1 - i);
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[at]);
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

void add_boundaries(Executable& to, std::uint64_t begin, std::uint64_t size) {
  if (size == 0 || begin + size < begin) return;
  to.boundaries.push_back(begin);
  to.boundaries.push_back(begin + size);
}

void add_code(Executable& to, std::uint64_t begin, std::uint64_t size) {
  if (begin + size > begin) to.code.push_back({begin, begin + size});
}

// Where the fields of ELF's headers are, which its two classes arrange differently.
struct ElfShape {
  std::size_t word_bytes;
  std::uint64_t table_offset, sections_offset, entry_bytes, entry_count;  // in the file's header
  std::uint64_t header_bytes, flags, offset, file_bytes;                  // in a program header
};
constexpr ElfShape kElf32{4, 28, 32, 42, 44, 32, 24, 4, 16};
constexpr ElfShape kElf64{8, 32, 40, 54, 56, 56, 4, 8, 32};

Machine elf_machine(std::uint64_t number) noexcept {
  constexpr std::uint64_t k386 = 3, kX86_64 = 62, kAarch64 = 183;
  if (number == k386 || number == kX86_64) return Machine::x86;
  return number == kAarch64 ? Machine::arm64 : Machine::other;
}

Executable read_elf(Bytes beginning) {
  constexpr std::uint64_t kClassAt = 4, kOrderAt = 5, kMachineAt = 18;
  constexpr std::uint64_t kLoad = 1, kExecutable = 1;
  const Fields bytes(beginning, false);
  const ElfShape& shape = bytes.number(kClassAt, 1) == 1 ? kElf32 : kElf64;
  const Fields fields(beginning, bytes.number(kOrderAt, 1) == 2);
  Executable parts;
  parts.machine = elf_machine(fields.number(kMachineAt, 2));
  if (fields.number(shape.entry_bytes, 2) != shape.header_bytes) return parts;
  const std::uint64_t count = fields.number(shape.entry_count, 2);
  std::uint64_t header = fields.number(shape.table_offset, shape.word_bytes);
  for (std::uint64_t i = 0; i < count && fields.holds(header, shape.header_bytes); ++i) {
    const std::uint64_t begin = fields.number(header + shape.offset, shape.word_bytes);
    const std::uint64_t size = fields.number(header + shape.file_bytes, shape.word_bytes);
    add_boundaries(parts, begin, size);
    if (fields.number(header, 4) == kLoad &&
        (fields.number(header + shape.flags, 4) & kExecutable) != 0) {
      add_code(parts, begin, size);
    }
    header += shape.header_bytes;
  }
  parts.boundaries.push_back(fields.number(shape.sections_offset, shape.word_bytes));
  return parts;
}

Machine mach_o_machine(std::uint64_t number) noexcept {
  constexpr std::uint64_t kX86_64 = 0x01000007, kArm64 = 0x0100000c;
  return number == kX86_64 ? Machine::x86 : number == kArm64 ? Machine::arm64 : Machine::other;
}

void read_mach_o_segment(const Fields& fields, std::uint64_t segment, std::uint64_t end,
                         Executable& parts) {
  constexpr std::uint64_t kSegmentBytes = 72, kSectionBytes = 80;
  constexpr std::uint64_t kTypeMask = 0xff, kZeroFill = 1, kInstructions = 0x80000400;
  if (!fields.holds(segment, kSegmentBytes)) return;
  add_boundaries(parts, fields.number(segment + 40, 8), fields.number(segment + 48, 8));
  std::uint64_t section = segment + kSegmentBytes;
  for (std::uint64_t count = fields.number(segment + 64, 4);
       count != 0 && section + kSectionBytes <= end && fields.holds(section, kSectionBytes);
       --count, section += kSectionBytes) {
    const std::uint64_t size = fields.number(section + 40, 8);
    const std::uint64_t begin = fields.number(section + 48, 4);
    const std::uint64_t flags = fields.number(section + 64, 4);
    if (begin == 0 || (flags & kTypeMask) == kZeroFill) continue;
    add_boundaries(parts, begin, size);
    if ((flags & kInstructions) != 0) add_code(parts, begin, size);
  }
}

Executable read_mach_o(Bytes beginning) {
  constexpr std::uint64_t kHeaderBytes = 32, kCommandBytesMin = 8, kSegment64 = 0x19;
  const Fields fields(beginning, false);
  Executable parts;
  parts.machine = mach_o_machine(fields.number(4, 4));
  std::uint64_t command = kHeaderBytes;
  for (std::uint64_t count = fields.number(16, 4);
       count != 0 && fields.holds(command, kCommandBytesMin); --count) {
    const std::uint64_t size = fields.number(command + 4, 4);
    if (size < kCommandBytesMin) break;
    if (fields.number(command, 4) == kSegment64) {
      read_mach_o_segment(fields, command, command + size, parts);
    }
    command += size;
  }
  return parts;
}

}  // namespace

std::optional<Executable::Range> Executable::code_at(std::uint64_t offset) const noexcept {
  const auto found = std::ranges::find_if(
      code, [offset](const Range& range) { return range.begin <= offset && offset < range.end; });
  return found == code.end() ? std::nullopt : std::optional(*found);
}

std::optional<std::uint64_t> Executable::nearest_boundary(std::uint64_t offset, std::uint64_t first,
                                                          std::uint64_t last) const noexcept {
  const auto behind = std::ranges::upper_bound(boundaries, offset);
  const bool has_behind = behind != boundaries.end() && first <= *behind && *behind <= last;
  if (behind != boundaries.begin()) {
    const std::uint64_t before = *std::prev(behind);
    if (first <= before && before <= last && (!has_behind || offset - before <= *behind - offset)) {
      return before;
    }
  }
  return has_behind ? std::optional(*behind) : std::nullopt;
}

Executable read_executable(Bytes beginning) {
  const std::string_view text = text_of(beginning);
  Executable parts;
  if (text.starts_with("\x7f"
                       "ELF"sv)) {
    parts = read_elf(beginning);
  } else if (text.starts_with("\xcf\xfa\xed\xfe"sv)) {
    parts = read_mach_o(beginning);
  }
  std::ranges::sort(parts.boundaries);
  const auto repeated = std::ranges::unique(parts.boundaries);
  parts.boundaries.erase(repeated.begin(), repeated.end());
  return parts;
}

}  // namespace chunker::cut
