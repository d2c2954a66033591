#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <charconv>
#include <string>

#include "base/cpu.hpp"
#include "chunker/hash.hpp"
#include "hash/cycle.hpp"
#include "hash/sha256.hpp"

namespace chunker {
namespace {

static_assert(threads_of<Sha256Stream> == Threads::movable);

struct Vector {
  std::string message;
  std::string_view digest;
};

// The examples of FIPS 180-2 appendix B and of NIST's example values.
std::vector<Vector> vectors() {
  return {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
       "opq"
       "rsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
}

TEST(Sha256, GivesTheDigestsOfFips180) {
  for (const Vector& vector : vectors()) {
    EXPECT_EQ(HashAlgorithm::sha256().hash(bytes_of(vector.message)).hex(), vector.digest);
  }
}

TEST(Sha256Stream, GivesTheDigestsOfFips180InPieces) {
  Sha256Stream stream;
  for (const Vector& vector : vectors()) {
    for (const std::size_t piece_bytes : {1U, 7U, 64U, 4096U}) {
      for (std::size_t at = 0; at < vector.message.size(); at += piece_bytes) {
        stream.update(bytes_of(std::string_view(vector.message).substr(at, piece_bytes)));
      }
      EXPECT_EQ(stream.finish().hex(), vector.digest) << piece_bytes;
    }
  }
}

TEST(Sha256Stream, GoesOnAfterItWasMoved) {
  Sha256Stream first;
  first.update(bytes_of("a"));
  Sha256Stream second(std::move(first));
  second.update(bytes_of("b"));
  first = std::move(second);
  first.update(bytes_of("c"));
  EXPECT_EQ(first.finish(), HashAlgorithm::sha256().hash(bytes_of("abc")));
}

#if defined(__x86_64__) || defined(__aarch64__)
// The hexadecimal number behind `mark` in what OpenSSL says about the processor.
std::uint64_t openssl_cpu_word(std::string_view mark) {
  const char* const settings = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);
  const std::string_view text(settings == nullptr ? "" : settings);
  const auto at = text.find(mark);
  EXPECT_NE(at, text.npos) << text;
  std::uint64_t word = 0;
  if (at != text.npos) {
    std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), word, 16);
  }
  return word;
}
#endif

#if defined(__x86_64__)
// OpenSSL picks its code by the CPUID words that it reports; bit 29 of the second's low half (leaf
// 7, EBX) is SHA-NI, and with it set no other SHA-256 code is reachable.
TEST(Sha256, R8_2_OpenSslSeesShaNiWhereTheProcessorHasIt) {
  const std::uint64_t leaf7 = openssl_cpu_word(":0x");
  EXPECT_EQ((leaf7 >> 29 & 1) != 0, base::detect_cpu_features().sha_ni) << leaf7;
}
#elif defined(__aarch64__)
// Bit 4 of its word for Arm is SHA-256.
TEST(Sha256, R8_2_OpenSslSeesArmSha2WhereTheProcessorHasIt) {
  const std::uint64_t armcap = openssl_cpu_word("OPENSSL_armcap=0x");
  EXPECT_EQ((armcap >> 4 & 1) != 0, base::detect_cpu_features().arm_sha2) << armcap;
}
#endif

TEST(Sha256Stream, R8_2_StreamsGoOnSideBySideLikeOneByOne) {
  const ByteBuffer content = test::cycle251(200'000);
  for (std::size_t count = 1; count < 20; ++count) {
    std::vector<Sha256Stream> together(count), alone(count);
    std::vector<Sha256Stream*> streams;
    for (Sha256Stream& stream : together) streams.push_back(&stream);
    for (std::size_t round = 0; round < 9; ++round) {
      std::vector<Bytes> pieces;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = (i * 7919 + round * 104'729) % (round % 3 == 0 ? 130 : 20'000);
        pieces.push_back(content.view().subspan(i, size));
        alone[i].update(pieces.back());
      }
      Sha256Stream::update_many(streams, pieces);
    }
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(together[i].finish(), alone[i].finish()) << i << " of " << count;
      ASSERT_EQ(together[i].finish(), hash::sha256({})) << "it starts afresh";
    }
  }
}

// The stream's own kernels, where there are any, against OpenSSL's one-shot.
TEST(Sha256Stream, R8_2_AgreesWithOpenSslAtAnySplit) {
  const ByteBuffer content = test::cycle251(700);
  for (std::size_t size = 0; size < 300; ++size) {
    for (const std::size_t first : {std::size_t{0}, size / 3, size / 2, size}) {
      Sha256Stream stream;
      stream.update(content.view().first(first));
      stream.update(content.view().subspan(first, size - first));
      ASSERT_EQ(stream.finish(), hash::sha256(content.view().first(size))) << size << ' ' << first;
    }
  }
}

}  // namespace
}  // namespace chunker
