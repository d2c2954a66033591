#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "chunker/hash.hpp"
#include "hash/blake3.hpp"
#include "hash/cycle.hpp"

namespace chunker {
namespace {

struct Vector {
  std::size_t input_bytes;
  std::string digest;
};

std::vector<Vector> vectors() {
  std::ifstream file(CHUNKER_SOURCE_DIR "/vectors/blake3.json");
  std::vector<Vector> all;
  for (std::string line; std::getline(file, line);) {
    std::size_t input_bytes = 0;
    char digest[65] = {};
    if (std::sscanf(line.c_str(), R"( {"input_bytes": %zu, "digest": "%64[0-9a-f]")", &input_bytes,
                    digest) == 2) {
      all.emplace_back(input_bytes, digest);
    }
  }
  return all;
}

TEST(Blake3, PiecesGiveTheDigestOfTheWhole) {
  hash::Blake3Stream stream;
  for (const Vector& vector : vectors()) {
    const auto input = test::cycle251(vector.input_bytes);
    for (const std::size_t piece_bytes : {1UL, 63UL, 1024UL, 32768UL}) {
      for (Bytes rest = input; !rest.empty();) {
        const Bytes piece = rest.first(std::min(piece_bytes, rest.size()));
        stream.update(piece);
        rest = rest.subspan(piece.size());
      }
      EXPECT_EQ(stream.finish().hex(), vector.digest) << vector.input_bytes;
    }
  }
}

TEST(Blake3, GivesTheDigestsOfTheOfficialVectors) {
  ASSERT_EQ(vectors().size(), 35U);
  for (const Vector& vector : vectors()) {
    EXPECT_EQ(HashAlgorithm::blake3().hash(test::cycle251(vector.input_bytes)).hex(), vector.digest)
        << vector.input_bytes;
  }
}

TEST(Blake3, GivesTheDigestsOfTheOfficialVectorsInABatch) {
  std::vector<ByteBuffer> buffers;
  for (const Vector& vector : vectors()) buffers.push_back(test::cycle251(vector.input_bytes));
  const std::vector<Bytes> inputs(buffers.begin(), buffers.end());
  std::vector<Digest> digests(inputs.size());
  HashAlgorithm::blake3().hash_many(inputs, digests);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(digests[i].hex(), vectors()[i].digest) << inputs[i].size();
  }
}

// Run under ThreadSanitizer this finds a processor check that races on first use.
TEST(Blake3, HashesOnManyThreadsFromTheStart) {
  const ByteBuffer input = test::cycle251(8193);
  std::vector<Digest> digests(4);
  {
    std::vector<std::jthread> threads;
    for (Digest& digest : digests) {
      threads.emplace_back([&] { digest = HashAlgorithm::blake3().hash(input); });
    }
  }
  for (const Digest& digest : digests) EXPECT_EQ(digest, digests[0]);
}

}  // namespace
}  // namespace chunker
