#include <gtest/gtest.h>

#include "chunker/sign.hpp"

namespace chunker {
namespace {

struct Vector {
  std::string_view hex, base32;
};

// SHA-256 of "" and of "abc", as nix-hash --to-base32 writes them.
constexpr Vector kVectors[] = {
    {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"},
    {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"},
};

TEST(NixBase32, WritesDigestsAsNixDoes) {
  for (const auto& [hex, base32] : kVectors) {
    EXPECT_EQ(to_nix_base32(Digest::from_hex(hex)->view()), base32);
  }
}

TEST(NixBase32, ReadsThemBack) {
  for (const auto& [hex, base32] : kVectors) {
    Digest digest;
    EXPECT_TRUE(from_nix_base32(base32, digest.bytes));
    EXPECT_EQ(digest.hex(), hex);
  }
}

TEST(NixBase32, RoundTripsEveryLength) {
  ByteBuffer bytes(64), back(64);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes.data()[i] = static_cast<std::byte>(i * 37);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    back.resize(size);
    const std::string text = to_nix_base32(bytes.view().first(size));
    EXPECT_TRUE(from_nix_base32(text, back.span())) << size;
    EXPECT_EQ(text_of(back), text_of(bytes.view().first(size)));
  }
}

TEST(NixBase32, NFR3_2_ReadsNothingElse) {
  Digest digest;
  const std::string good(kVectors[0].base32);
  EXPECT_FALSE(from_nix_base32("", digest.bytes));
  EXPECT_FALSE(from_nix_base32(good.substr(1), digest.bytes));
  EXPECT_FALSE(from_nix_base32(good + "0", digest.bytes));
  for (const char bad : {'e', 'o', 't', 'u', 'A', ' '}) {
    std::string text = good;
    text[5] = bad;
    EXPECT_FALSE(from_nix_base32(text, digest.bytes)) << bad;
  }
  // 52 digits hold 260 bits; the four that a digest has no room for must be zero.
  EXPECT_FALSE(from_nix_base32("2" + std::string(51, '0'), digest.bytes));
  EXPECT_TRUE(from_nix_base32("1" + std::string(51, '0'), digest.bytes));
}

}  // namespace
}  // namespace chunker
