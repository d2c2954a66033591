#include "codec/x86_filter.hpp"

#include "base/hex.hpp"
#include "codec/machine_code.hpp"
#include "codec/samples.hpp"

namespace chunker {
namespace {

using test::same;

ByteBuffer absolute(Bytes content) {
  ByteBuffer changed(content);
  codec::x86_to_absolute(changed.span());
  return changed;
}

ByteBuffer relative(Bytes content) {
  ByteBuffer changed(content);
  codec::x86_to_relative(changed.span());
  return changed;
}

// doc/format/x86.md, word for word and without a thought for speed.
ByteBuffer plainly_absolute(Bytes content) {
  ByteBuffer out(content);
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(out.view()[i]); };
  std::size_t free = 0;
  for (std::size_t at = 0; at + 5 <= out.size();) {
    const bool branch = byte(at) == 0xE8 || byte(at) == 0xE9;
    const bool rip =
        (byte(at) == 0x8B || byte(at) == 0x8D || byte(at) == 0xFF) && (byte(at + 1) & 0xC7) == 0x05;
    const std::size_t operand = at + (branch ? 1 : 2), end = operand + 4;
    ++at;
    if ((!branch && !rip) || operand < free || end > out.size()) continue;
    free = end;
    if (byte(end - 1) != 0x00 && byte(end - 1) != 0xFF) continue;
    std::int64_t value = byte(operand) | byte(operand + 1) << 8 | byte(operand + 2) << 16;
    if (byte(end - 1) == 0xFF) value -= 1 << 24;
    value += static_cast<std::int64_t>(end % (1 << 25));
    if (value >= 1 << 24) value -= 1 << 25;
    for (std::size_t i = 0; i < 4; ++i) {
      out.data()[operand + i] = static_cast<std::byte>(value >> (8 * i));
    }
    at = end;
  }
  return out;
}

void expect_right(Bytes content) {
  const ByteBuffer changed = absolute(content);
  ASSERT_TRUE(same(changed, plainly_absolute(content))) << base::to_hex(content);
  ASSERT_TRUE(same(relative(changed), content)) << base::to_hex(content);
  ASSERT_TRUE(same(absolute(relative(content)), content)) << base::to_hex(content);
}

TEST(X86Filter, DoesWhatTheFormatShowsByteByByte) {
  const auto code =
      bytes_of(std::string_view("\x90\xE8\x0A\0\0\0\x48\x8D\x05\xFD\xFF\xFF\xFF\xE8\xF3\xFF\xFF\xFF"
                                "\x89\xE8\x48\x8B\x3D\xEE\x0E\0\0\xC3",
                                28));
  const auto filtered =
      bytes_of(std::string_view("\x90\xE8\x10\0\0\0\x48\x8D\x05\x0A\0\0\0\xE8\x05\0\0\0"
                                "\x89\xE8\x48\x8B\x3D\xEE\x0E\0\0\xC3",
                                28));
  EXPECT_TRUE(same(absolute(code), filtered)) << base::to_hex(absolute(code));
  EXPECT_TRUE(same(relative(filtered), code));
}

// Every string of up to nine of the bytes that matter, so every way in which instructions can overlap.
TEST(X86Filter, ComesBackFromEveryOverlap) {
  constexpr std::byte kBytes[] = {std::byte{0xE8}, std::byte{0x8B}, std::byte{0x05},
                                  std::byte{0x00}, std::byte{0xFF}};
  for (std::size_t size = 0; size <= 9; ++size) {
    std::size_t count = 1;
    for (std::size_t i = 0; i < size; ++i) count *= std::size(kBytes);
    ByteBuffer content(size);
    for (std::size_t number = 0; number < count && !HasFatalFailure(); ++number) {
      for (std::size_t i = 0, rest = number; i < size; ++i, rest /= std::size(kBytes)) {
        content.data()[i] = kBytes[rest % std::size(kBytes)];
      }
      expect_right(content);
    }
  }
}

TEST(X86Filter, ComesBackAtEverySizeAroundItsBlocks) {
  constexpr unsigned char kBytes[] = {0xE8, 0xE9, 0x8B, 0x8D, 0xFF, 0x05, 0x3D, 0x00, 0x41};
  std::mt19937_64 engine(1);
  for (std::size_t size = 0; size < 300; ++size) {
    for (int round = 0; round < 50 && !HasFatalFailure(); ++round) {
      ByteBuffer content = test::random_bytes(size, static_cast<unsigned>(engine()));
      for (std::byte& b : content.span()) {
        if (engine() % 4 != 0) b = std::byte{kBytes[engine() % std::size(kBytes)]};
      }
      expect_right(content);
    }
  }
}

TEST(X86Filter, ComesBackFromEveryKindOfBytes) {
  for (const std::size_t size : {1U, 4099U, 1U << 20}) {
    expect_right(test::zeros(size));
    expect_right(test::random_bytes(size));
    expect_right(test::machine_code(size + 8));
  }
}

// Positions are taken modulo 32 MiB: around there, and where the sign of the operand turns.
TEST(X86Filter, PositionsWrapAround) {
  ByteBuffer content = test::zeros((32U << 20) + 100);
  const ByteBuffer code = test::machine_code(200);
  for (const std::size_t at : {(16U << 20) - 100, (32U << 20) - 100}) {
    std::ranges::copy(code.view(), content.data() + at);
  }
  expect_right(content);
}

TEST(X86Filter, ASampleTellsMachineCodeFromOtherBytes) {
  for (const std::size_t size : {500U, 8191U, 8192U, 1U << 20}) {
    EXPECT_TRUE(codec::looks_like_x86(test::machine_code(size))) << size;
    EXPECT_FALSE(codec::looks_like_x86(test::random_bytes(size))) << size;
    EXPECT_FALSE(codec::looks_like_x86(test::words(size))) << size;
    EXPECT_FALSE(codec::looks_like_x86(test::zeros(size))) << size;
  }
  EXPECT_FALSE(codec::looks_like_x86({}));
  EXPECT_FALSE(codec::looks_like_x86(bytes_of("\xE8\xFF\xFF\xFF")));
}

// A call to here from everywhere is worth nothing if there are three of them.
TEST(X86Filter, AFewCallsAreNotMachineCode) {
  ByteBuffer content = test::words(1U << 20);
  std::ranges::copy(test::machine_code(400).view(), content.data());
  EXPECT_FALSE(codec::looks_like_x86(content));
}

}  // namespace
}  // namespace chunker
