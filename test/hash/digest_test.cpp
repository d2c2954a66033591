#include "chunker/digest.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

namespace chunker {
namespace {

static_assert(threads_of<Digest> == Threads::shared);

constexpr std::string_view kHex =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

Digest counting() {
  Digest digest;
  for (std::size_t i = 0; i < Digest::kBytes; ++i) digest.bytes[i] = static_cast<std::byte>(i);
  return digest;
}

TEST(Digest, WritesLowerCaseHex) { EXPECT_EQ(counting().hex(), kHex); }

TEST(Digest, ReadsEitherCase) {
  EXPECT_EQ(Digest::from_hex(kHex), counting());
  std::string upper(kHex);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Digest::from_hex(upper), counting());
}

TEST(Digest, NFR3_2_ReadsNothingElse) {
  EXPECT_FALSE(Digest::from_hex(""));
  EXPECT_FALSE(Digest::from_hex(kHex.substr(1)));
  EXPECT_FALSE(Digest::from_hex(std::string(kHex) + "0"));
  std::string bad(kHex);
  bad[63] = 'g';
  EXPECT_FALSE(Digest::from_hex(bad));
}

TEST(Digest, OrdersBytewiseAndHashes) {
  Digest low, high;
  high.bytes[0] = std::byte{0x80};
  EXPECT_LT(low, high);
  EXPECT_EQ((std::unordered_set<Digest>{low, high, low}.size()), 2U);
}

}  // namespace
}  // namespace chunker
