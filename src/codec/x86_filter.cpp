#include "codec/x86_filter.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "base/wire.hpp"

namespace chunker::codec {
namespace {

// instruction := (call | jmp) operand | (mov | lea | group) rip operand
constexpr std::size_t kOperandBytes = 4;
constexpr std::size_t kInstructionBytesMin = 1 + kOperandBytes;
constexpr std::uint8_t kBranch = 0xE8, kBranchMask = 0xFE;  // call, jmp
constexpr std::uint8_t kLoad = 0x8B, kAddress = 0x8D,
                       kGroup = 0xFF;                 // mov, lea; call and jmp by table
constexpr std::uint8_t kRip = 0x05, kRipMask = 0xC7;  // Any register, [rip + operand].

// Operands are 25 bits wide, the sign included: further than 16 MiB is rarely an address.
constexpr std::uint32_t kReach = 1U << 24;

bool is_near(std::uint32_t operand) noexcept { return operand + kReach < 2 * kReach; }

std::uint32_t wrapped(std::uint32_t operand) noexcept {
  return ((operand + kReach) & (2 * kReach - 1)) - kReach;
}

bool is_branch(std::byte opcode) noexcept {
  return (std::to_integer<unsigned>(opcode) & kBranchMask) == kBranch;
}

bool begins_instruction(const std::byte* at) noexcept {
  const auto opcode = std::to_integer<unsigned>(at[0]);
  return is_branch(at[0]) || ((opcode == kLoad || opcode == kAddress || opcode == kGroup) &&
                              (std::to_integer<unsigned>(at[1]) & kRipMask) == kRip);
}

constexpr std::size_t kVectorBytes = 16, kBlockBytes = 64;
using Vector = std::uint8_t __attribute__((vector_size(kVectorBytes)));

/// Bit i of the result: begins_instruction() of byte i of a vector. Reads one byte more.
std::uint64_t marks_of_vector(const std::byte* at) noexcept {
  Vector opcode, next;
  std::memcpy(&opcode, at, kVectorBytes);
  std::memcpy(&next, at + 1, kVectorBytes);
  const auto branches = (opcode & kBranchMask) == kBranch;
  const auto others = (opcode == kLoad) | (opcode == kAddress) | (opcode == kGroup);
  const auto both = branches | (others & ((next & kRipMask) == kRip));
  std::uint64_t marks = 0;
  const auto words = std::bit_cast<std::array<std::uint64_t, kVectorBytes / 8>>(both);
  for (std::size_t i = 0; i < words.size(); ++i) {
    // The product gathers one bit of each byte in the highest byte.
    marks |= ((words[i] & 0x0101010101010101) * 0x0102040810204080 >> 56) << (8 * i);
  }
  return marks;
}

/// The same of a block: one loop over the marks of 64 bytes ends less often, and so is guessed wrong less often.
std::uint64_t marks_of_block(const std::byte* at) noexcept {
  std::uint64_t marks = 0;
  for (std::size_t i = 0; i < kBlockBytes; i += kVectorBytes) {
    marks |= marks_of_vector(at + i) << i;
  }
  return marks;
}

enum class Direction : bool { to_absolute, to_relative };

/// Both directions see the same instructions: an operand that was looked at and left alone is never changed
/// later, and one that was changed is as near as before.
template <Direction direction>
class Walk {
 public:
  explicit Walk(MutableBytes content) noexcept : content_(content) {}

  /// An instruction may begin at `at`, which is beyond every `at` before.
  void visit(std::size_t at) noexcept {
    if (at < next_) return;
    const std::size_t operand_at = at + (is_branch(content_[at]) ? 1 : 2);
    if (operand_at < untouched_ || operand_at + kOperandBytes > content_.size()) return;
    std::byte* const operand = content_.data() + operand_at;
    untouched_ = operand_at + kOperandBytes;
    const auto value = base::load_le<std::uint32_t>(operand);
    if (!is_near(value)) return;
    const auto end = static_cast<std::uint32_t>(untouched_);
    base::store_le(wrapped(direction == Direction::to_absolute ? value + end : value - end),
                   operand);
    next_ = untouched_;
  }

 private:
  MutableBytes content_;
  std::size_t next_ = 0;       // Before it are operands that were changed.
  std::size_t untouched_ = 0;  // Before it are operands that were looked at.
};

template <Direction direction>
void convert(MutableBytes content) noexcept {
  Walk<direction> walk(content);
  std::size_t at = 0;
  for (; at + kBlockBytes < content.size(); at += kBlockBytes) {
    for (auto marks = marks_of_block(content.data() + at); marks != 0; marks &= marks - 1) {
      walk.visit(at + static_cast<std::size_t>(std::countr_zero(marks)));
    }
  }
  for (; at + kInstructionBytesMin <= content.size(); ++at) {
    if (begins_instruction(content.data() + at)) walk.visit(at);
  }
}

// A third of the frames of real packages is x86 code, nearly all of it with more calls backward than this; of
// what else there is, hardly any has (bench/RESULTS.md, "x86 branch filter").
constexpr std::size_t kCallEveryBytes = 512;
constexpr std::size_t kPieceBytes = 256, kPieceCount = 32;
constexpr std::size_t kSampleBytes = kPieceBytes * kPieceCount;

std::size_t backward_calls(Bytes piece) noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at + kInstructionBytesMin <= piece.size(); ++at) {
    if (is_branch(piece[at]) && piece[at + kOperandBytes] == std::byte{0xFF}) ++count;
  }
  return count;
}

}  // namespace

void x86_to_absolute(MutableBytes content) noexcept { convert<Direction::to_absolute>(content); }

void x86_to_relative(MutableBytes content) noexcept { convert<Direction::to_relative>(content); }

bool looks_like_x86(Bytes content) noexcept {
  if (content.size() < kSampleBytes) {
    return backward_calls(content) * kCallEveryBytes > content.size();
  }
  std::size_t calls = 0;
  for (std::size_t i = 0; i < kPieceCount; ++i) {
    const std::size_t at = (content.size() - kPieceBytes) / (kPieceCount - 1) * i;
    calls += backward_calls(content.subspan(at, kPieceBytes));
  }
  return calls * kCallEveryBytes > kSampleBytes;
}

}  // namespace chunker::codec
