#include "base/wire.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "base/hex.hpp"

namespace chunker::base {
namespace {

TEST(Wire, VarintsRoundTripAtEveryWidth) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value : {(1ULL << bit) - 1, 1ULL << bit, (1ULL << bit) + 1}) {
      ByteBuffer buffer;
      append_varint(buffer, value);
      WireReader reader(buffer);
      EXPECT_EQ(reader.varint(), value);
      EXPECT_TRUE(reader.at_end());
    }
  }
}

TEST(Wire, RejectsTruncatedOverlongAndOverflowingVarints) {
  for (const std::string_view hex :
       {"", "80", "8000", "ff00", "ffffffffffffffffff02", "ffffffffffffffffffff01"}) {
    ByteBuffer buffer(hex.size() / 2);
    ASSERT_TRUE(from_hex(hex, buffer.span()));
    EXPECT_EQ(WireReader(buffer).varint(), std::nullopt) << hex;
  }
}

TEST(Wire, HexRoundTripsAndRejectsOtherCharacters) {
  std::array<std::byte, 3> bytes{std::byte{0x00}, std::byte{0xab}, std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "00abff");
  std::array<std::byte, 3> back{};
  EXPECT_TRUE(from_hex("00ABff", back));
  EXPECT_EQ(back, bytes);
  EXPECT_FALSE(from_hex("00abf", back));
  EXPECT_FALSE(from_hex("00abfg", back));
}

}  // namespace
}  // namespace chunker::base
