#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "chunker/hash.hpp"
#include "hash/blake3.hpp"
#include "hash/blake3_kernels.hpp"
#include "hash/blake3_pieces.hpp"
#include "hash/cycle.hpp"

namespace chunker::hash {
namespace {

constexpr std::size_t kSizeMax = 3 << 20;

// Slices of one buffer, at every alignment, so that no digest is right by chance.
std::vector<Bytes> slices(std::span<const std::size_t> sizes) {
  static const ByteBuffer buffer = test::cycle251(kSizeMax + 251);
  std::vector<Bytes> all;
  std::size_t at = 0;
  for (const std::size_t size : sizes) all.push_back(buffer.view().subspan(at++ % 251, size));
  return all;
}

void expect_one_by_one_agrees(const std::vector<std::size_t>& sizes) {
  const std::vector<Bytes> inputs = slices(sizes);
  std::vector<Digest> expected;
  for (const Bytes input : inputs) expected.push_back(blake3(input));
  for (const auto& kernel : test::blake3_kernels_here()) {
    std::vector<Digest> digests(inputs.size());
    blake3_together(inputs, digests, *kernel.hash_many);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_EQ(digests[i], expected[i])
          << kernel.name << ": input " << i << " of " << inputs.size() << ", " << sizes[i];
    }
  }
}

TEST(Blake3Together, R8_1_AgreesWithOneByOneOnEveryLength) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 5000; ++size) sizes.push_back(size);
  expect_one_by_one_agrees(sizes);
}

TEST(Blake3Together, R8_1_AgreesWithOneByOneOnManyOfOneLength) {
  for (const std::size_t size :
       {0U, 1U, 63U, 64U, 65U, 1000U, 1023U, 1024U, 1025U, 2047U, 2048U, 3072U, 4999U}) {
    for (const std::size_t count : {1U, 2U, 3U, 15U, 16U, 17U, 31U, 300U}) {
      expect_one_by_one_agrees(std::vector<std::size_t>(count, size));
    }
  }
}

TEST(Blake3Together, R8_1_AgreesWithOneByOneAroundEveryNumberOfLeaves) {
  std::vector<std::size_t> sizes;
  for (std::size_t leaves = 1; leaves <= 20; ++leaves) {
    for (const std::size_t off : {0U, 1U, 64U, 65U}) {
      sizes.push_back(leaves * 1024 - off);
      sizes.push_back(leaves * 1024 + off);
    }
  }
  expect_one_by_one_agrees(sizes);
}

TEST(Blake3Together, R8_1_AgreesWithOneByOneWhenLargeOnesStandBetween) {
  std::mt19937_64 engine(5);
  for (std::size_t count = 1; count < 40; ++count) {
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < count; ++i) {
      sizes.push_back(engine() % (std::size_t{1} << (1 + engine() % 17)));
    }
    expect_one_by_one_agrees(sizes);
  }
  expect_one_by_one_agrees({kSizeMax, 5, kBlake3TogetherBytesMax, 1'000'003, 0,
                            kBlake3TogetherBytesMax + 1, 131'073, 1024});
}

TEST(Blake3Together, R8_1_SmallInputsShareTheLanes) {
  static std::size_t widest_call = 0;
  const auto watched = [](const std::uint8_t* const* inputs, std::size_t count, std::size_t blocks,
                          const std::uint32_t key[8], std::uint64_t counter, bool increment,
                          std::uint8_t flags, std::uint8_t start, std::uint8_t end,
                          std::uint8_t* out) {
    widest_call = std::max(widest_call, count);
    blake3_hash_many_portable(inputs, count, blocks, key, counter, increment, flags, start, end,
                              out);
  };
  const std::vector<Bytes> inputs = slices(std::vector<std::size_t>(16, 1024));
  std::vector<Digest> digests(inputs.size());
  blake3_together(inputs, digests, *+watched);
  EXPECT_EQ(widest_call, 16U);
}

TEST(Blake3Pieces, R8_1_AgreeWithTheWhole) {
  constexpr std::size_t kMiB = hash::kBlake3PieceBytes;
  const auto all = test::cycle251(70 * kMiB);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, kMiB, kMiB + 1, 2 * kMiB, 3 * kMiB + 1023, 4 * kMiB + 1024,
        5 * kMiB + 1025, 13 * kMiB + 65'537, 64 * kMiB, 64 * kMiB + 1, 65 * kMiB + 1, 70 * kMiB}) {
    const Bytes input = Bytes(all).first(bytes);
    std::vector<hash::Blake3PieceTop> tops(hash::blake3_piece_count(bytes));
    for (std::size_t i = tops.size(); i-- > 0;) {
      tops[i] = hash::blake3_piece(input.subspan(i * kMiB, kMiB), i);
    }
    const Bytes rest = input.subspan(tops.size() * kMiB);
    EXPECT_EQ(hash::blake3_of_pieces(tops, rest), hash::blake3(input)) << bytes;
  }
}

}  // namespace
}  // namespace chunker::hash
