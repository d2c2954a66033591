#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "chunker/sign.hpp"
#include "sign/base64.hpp"
#include "sign/ed25519.hpp"

namespace chunker {
namespace {

static_assert(threads_of<PublicKey> == Threads::shared);
static_assert(threads_of<SecretKey> == Threads::shared);
static_assert(threads_of<SecretText> == Threads::movable);
static_assert(!std::is_copy_constructible_v<SecretKey>);
static_assert(!std::is_copy_constructible_v<SecretText>);

// RFC 8032, section 7.1.
struct Vector {
  std::string_view seed, point, message, signature;
};
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
};

ByteBuffer unhex(std::string_view hex) {
  ByteBuffer bytes(hex.size() / 2);
  EXPECT_TRUE(base::from_hex(hex, bytes.span()));
  return bytes;
}

std::string line(std::string_view name, Bytes bytes) {
  std::string base64(sign::base64_characters(bytes.size()), ' ');
  sign::to_base64(bytes, std::as_writable_bytes(std::span(base64)));
  return std::string(name) + ":" + base64;
}

std::string secret_line(const Vector& vector, std::string_view name = "rfc") {
  return line(name, unhex(std::string(vector.seed) + std::string(vector.point)));
}

ErrorCode code_of(const auto& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? ErrorCode::internal : result.error().code;
}

TEST(SecretKey, SignsTheExamplesOfRfc8032) {
  for (const Vector& vector : kVectors) {
    const auto key = SecretKey::parse(secret_line(vector));
    ASSERT_TRUE(key);
    const ByteBuffer message = unhex(vector.message);
    const std::string signature = *key->sign(text_of(message));
    EXPECT_EQ(signature, line("rfc", unhex(vector.signature)));
    EXPECT_EQ(key->public_key().text(), line("rfc", unhex(vector.point)));
    EXPECT_TRUE(key->public_key().verify(text_of(message), signature));
  }
}

TEST(SecretKey, WritesWhatItRead) {
  const std::string text = secret_line(kVectors[0], "cache.example.org-1");
  const auto key = SecretKey::parse(text);
  EXPECT_EQ(key->name(), "cache.example.org-1");
  EXPECT_EQ(key->text().view(), text);
  EXPECT_EQ(SecretKey::parse(text + "\r\n")->text().view(), text);
}

TEST(SecretKey, GeneratesKeysThatDiffer) {
  const auto one = SecretKey::generate("a"), other = SecretKey::generate("a");
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->public_key(), other->public_key());
  const auto again = SecretKey::parse(one->text().view());
  EXPECT_EQ(again->public_key(), one->public_key());
  EXPECT_TRUE(again->public_key().verify("text", *one->sign("text")));
}

TEST(SecretKey, NFR3_2_RefusesWhatIsNoKey) {
  const std::string good = secret_line(kVectors[0]);
  for (const std::string& bad :
       {std::string(), std::string(":"), std::string("rfc"), std::string("rfc:"), good.substr(3),
        good.substr(0, good.size() - 1), good + "A", "a b" + good, " " + good, "\n" + good,
        line("rfc", unhex(kVectors[0].seed)), std::string(256, 'n') + good.substr(3),
        std::string("n\0", 2) + good.substr(3)}) {
    EXPECT_EQ(code_of(SecretKey::parse(bad)), ErrorCode::key_invalid) << bad;
  }
  EXPECT_TRUE(SecretKey::parse(std::string(255, 'n') + good.substr(3)));
  for (const std::string_view name : {"", "a:b", "a b", "a\n"}) {
    EXPECT_EQ(code_of(SecretKey::generate(name)), ErrorCode::key_invalid) << name;
  }
}

// Signing with the halves of two pairs gives the secret away.
TEST(SecretKey, NFR3_2_RefusesHalvesThatDoNotBelongTogether) {
  Vector mixed = kVectors[0];
  mixed.point = kVectors[1].point;
  EXPECT_EQ(code_of(SecretKey::parse(secret_line(mixed))), ErrorCode::key_invalid);
}

TEST(PublicKey, ReadsAndWritesItsLine) {
  const std::string text = line("cache-1", unhex(kVectors[0].point));
  const auto key = PublicKey::parse(text + "\n");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->name(), "cache-1");
  EXPECT_EQ(key->text(), text);
  EXPECT_EQ(code_of(PublicKey::parse(secret_line(kVectors[0]))), ErrorCode::key_invalid);
  EXPECT_EQ(code_of(PublicKey::parse(text.substr(7))), ErrorCode::key_invalid);
  EXPECT_EQ(code_of(PublicKey::parse("")), ErrorCode::key_invalid);
}

TEST(PublicKey, RefusesEverySignatureButItsOwn) {
  const auto key = SecretKey::parse(secret_line(kVectors[0]));
  const PublicKey judge = key->public_key();
  const std::string good = *key->sign("message");
  ASSERT_TRUE(judge.verify("message", good));
  EXPECT_TRUE(judge.verify("message", good + "\n"));

  const auto namesake = SecretKey::parse(secret_line(kVectors[1]));
  const auto renamed = SecretKey::parse(secret_line(kVectors[0], "other"));
  for (const std::string& bad :
       {*namesake->sign("message"), *renamed->sign("message"), *key->sign("Message"), std::string(),
        std::string("rfc:"), good.substr(4), good.substr(0, good.size() - 4)}) {
    EXPECT_EQ(code_of(judge.verify("message", bad)), ErrorCode::signature_invalid) << bad;
  }
}

TEST(PublicKey, NFR3_2_RefusesEveryFlippedBit) {
  const auto key = SecretKey::parse(secret_line(kVectors[2]));
  const ByteBuffer signature = unhex(kVectors[2].signature), message = unhex(kVectors[2].message);
  ASSERT_TRUE(key->public_key().verify(text_of(message), line("rfc", signature)));
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    ByteBuffer flipped(signature.view());
    flipped.data()[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(key->public_key().verify(text_of(message), line("rfc", flipped))) << bit;
  }
}

}  // namespace
}  // namespace chunker
