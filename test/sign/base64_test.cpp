#include "sign/base64.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace chunker::sign {
namespace {

struct Vector {
  std::string_view text, base64;
};

// RFC 4648, section 10, and every digit once.
constexpr Vector kVectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
};

std::string encoded(Bytes bytes) {
  std::string text(base64_characters(bytes.size()), ' ');
  to_base64(bytes, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST(Base64, WritesTheExamplesOfRfc4648) {
  for (const auto& [text, base64] : kVectors) EXPECT_EQ(encoded(bytes_of(text)), base64);
}

TEST(Base64, ReadsThemBack) {
  for (const auto& [text, base64] : kVectors) {
    ByteBuffer bytes(text.size());
    EXPECT_TRUE(from_base64(base64, bytes.span())) << base64;
    EXPECT_EQ(text_of(bytes), text);
  }
}

TEST(Base64, RoundTripsEveryByte) {
  std::string all;
  for (int value = 0; value < 256; ++value) all.push_back(static_cast<char>(value));
  ByteBuffer bytes(all.size());
  EXPECT_TRUE(from_base64(encoded(bytes_of(all)), bytes.span()));
  EXPECT_EQ(text_of(bytes), all);
}

TEST(Base64, NFR3_2_ReadsNoOtherSpelling) {
  ByteBuffer two(2);
  EXPECT_TRUE(from_base64("Zm8=", two.span()));
  for (const std::string_view bad : {"", "Zm8", "Zm8==", "Zm9v", "Zm9=", "Zm-=", "Zg==", "Z m8=",
                                     "Zm8=\n", "=m8=", "Zm8A", "Z===", "Zm8=Zm8="}) {
    EXPECT_FALSE(from_base64(bad, two.span())) << bad;
  }
}

}  // namespace
}  // namespace chunker::sign
