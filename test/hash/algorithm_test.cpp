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

}  // namespace
}  // namespace chunker
