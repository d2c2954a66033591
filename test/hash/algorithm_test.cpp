#include <gtest/gtest.h>

#include <atomic>

#include "chunker/hash.hpp"
#include "hash/cycle.hpp"

namespace chunker {
namespace {

static_assert(threads_of<HashAlgorithm> == Threads::shared);

Digest first_byte(Bytes bytes) {
  Digest digest;
  digest.bytes[0] = bytes.empty() ? std::byte{0} : bytes[0];
  return digest;
}

TEST(HashAlgorithm, NamesItsBuiltIns) {
  EXPECT_EQ(HashAlgorithm::sha256().name(), "sha256");
  EXPECT_EQ(HashAlgorithm::blake3().name(), "blake3");
  for (const std::string_view name : {"sha256", "blake3"}) {
    EXPECT_EQ(HashAlgorithm::named(name)->name(), name);
  }
  EXPECT_EQ(HashAlgorithm::named("md5").error().code, ErrorCode::unsupported);
}

TEST(HashAlgorithm, R21_2_RunsACallersOwnFunctionUnderItsName) {
  std::atomic<int> call_count = 0;
  const auto custom = HashAlgorithm::custom("first-byte_1", [&](Bytes bytes) {
    ++call_count;
    return first_byte(bytes);
  });
  ASSERT_TRUE(custom);
  EXPECT_EQ(custom->name(), "first-byte_1");
  EXPECT_EQ(custom->hash(bytes_of("x")).bytes[0], std::byte{'x'});

  const Bytes inputs[] = {bytes_of("a"), bytes_of(""), bytes_of("c")};
  Digest digests[3];
  custom->hash_many(inputs, digests);
  EXPECT_EQ(digests[0].bytes[0], std::byte{'a'});
  EXPECT_EQ(digests[1].bytes[0], std::byte{0});
  EXPECT_EQ(digests[2].bytes[0], std::byte{'c'});
  EXPECT_EQ(call_count, 4);
}

TEST(HashAlgorithm, R21_2_RefusesNamesThatCannotBeMeant) {
  for (const std::string& name :
       {std::string(), std::string(33, 'a'), std::string("Upper"), std::string("a b"),
        std::string("sha256"), std::string("blake3"), std::string("nul\0", 4)}) {
    const auto refused = HashAlgorithm::custom(name, first_byte);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << name;
  }
  EXPECT_TRUE(HashAlgorithm::custom(std::string(32, 'a'), first_byte));
  EXPECT_EQ(HashAlgorithm::custom("empty", {}).error().code, ErrorCode::invalid_argument);
}

TEST(HashAlgorithm, HashesManyAsOneByOne) {
  std::vector<ByteBuffer> buffers;
  std::vector<Bytes> inputs;
  for (std::size_t size = 0; size < 300; size += 7) buffers.push_back(test::cycle251(size));
  for (const ByteBuffer& buffer : buffers) inputs.push_back(buffer);
  for (const HashAlgorithm& algorithm : {HashAlgorithm::sha256(), HashAlgorithm::blake3()}) {
    std::vector<Digest> digests(inputs.size());
    algorithm.hash_many(inputs, digests);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(digests[i], algorithm.hash(inputs[i])) << algorithm.name() << " " << i;
    }
    algorithm.hash_many({}, {});
  }
}

TEST(HashAlgorithm, R5_2_BytesThatOccurAgainAreHashedOnce) {
  std::atomic<int> call_count = 0;
  const auto counting = *HashAlgorithm::custom("counting", [&](Bytes bytes) {
    ++call_count;
    return HashAlgorithm::blake3().hash(bytes);
  });
  const ByteBuffer a = test::cycle251(5000), copy_of_a = test::cycle251(5000);
  ByteBuffer unlike_a = test::cycle251(5000);
  unlike_a.data()[1000] ^= std::byte{1};  // None of the bytes that are looked at first.
  const Bytes inputs[] = {
      a,        unlike_a,          Bytes(a),     copy_of_a, Bytes(a).first(4999),
      unlike_a, bytes_of("short"), Bytes(),      Bytes(),   bytes_of("shoru"),
      a,        bytes_of("short"), bytes_of("x")};
  const HashAlgorithm exact[] = {counting, HashAlgorithm::sha256(), HashAlgorithm::blake3()};
  for (const HashAlgorithm& algorithm : exact) {
    std::vector<Digest> digests(std::size(inputs));
    algorithm.hash_many(inputs, digests);
    call_count = 0;
    algorithm.hash_many(inputs, digests);
    // Seven contents; of two that differ only where nobody looked the second is hashed each time.
    if (algorithm.name() == "counting") {
      EXPECT_EQ(call_count, 8);
    }
    for (std::size_t i = 0; i < std::size(inputs); ++i) {
      EXPECT_EQ(digests[i], algorithm.hash(inputs[i])) << algorithm.name() << " " << i;
    }
  }
}

TEST(HashAlgorithm, R5_2_AMillionZerosInPiecesAreHashedOnce) {
  int call_count = 0;
  const auto counting = *HashAlgorithm::custom("counting", [&](Bytes bytes) {
    ++call_count;
    return HashAlgorithm::blake3().hash(bytes);
  });
  const std::vector<std::byte> zeros(1 << 20);
  std::vector<Bytes> inputs;
  for (std::size_t at = 0; at < zeros.size(); at += 1 << 16) {
    inputs.push_back(Bytes(zeros).subspan(at, 1 << 16));
  }
  std::vector<Digest> digests(inputs.size());
  counting.hash_many(inputs, digests);
  EXPECT_EQ(call_count, 1);
  EXPECT_EQ(digests.back(), HashAlgorithm::blake3().hash(inputs.front()));
}

TEST(HashAlgorithm, R21_5_ACallersOwnIsNamedLikeABuiltIn) {
  const auto own = *HashAlgorithm::custom("own", first_byte);
  EXPECT_EQ(own.info(), (AlgorithmInfo{AlgorithmKind::hash, "own", {}}));
  EXPECT_EQ(HashAlgorithm::blake3().info(), (AlgorithmInfo{AlgorithmKind::hash, "blake3", {}}));
}

struct OldHash {
  static constexpr std::string_view deprecated = "use blake3 instead";
  Digest operator()(Bytes bytes) const { return first_byte(bytes); }
};

TEST(HashAlgorithm, R21_6_ADeprecatedOneSaysWhatToUseInstead) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const auto old = HashAlgorithm::custom("old", OldHash{});
#pragma GCC diagnostic pop
  ASSERT_TRUE(old);
  EXPECT_EQ(old->info().deprecated, "use blake3 instead");
  EXPECT_EQ(old->hash(bytes_of("x")).bytes[0], std::byte{'x'});
}

}  // namespace
}  // namespace chunker
