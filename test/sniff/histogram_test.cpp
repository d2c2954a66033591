#include "sniff/histogram.hpp"

#include <gtest/gtest.h>

#include <map>

#include "sniff/samples.hpp"

namespace chunker::sniff {
namespace {

TEST(Histogram, CountsEveryByteOfAnySize) {
  for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 63U, 4095U, 4096U}) {
    const std::string bytes = test::random_bytes(size);
    std::map<char, std::size_t> expected;
    for (const char byte : bytes) ++expected[byte];
    const Histogram histogram = Histogram::of(bytes_of(bytes));
    EXPECT_EQ(histogram.size, size);
    for (unsigned value = 0; value < 256; ++value) {
      ASSERT_EQ(histogram.counts[value], expected[static_cast<char>(value)]) << size;
    }
    EXPECT_EQ(histogram.count(0, 255), size);
  }
}

TEST(Histogram, TheSampleReachesFromTheFirstByteToTheLast) {
  for (const std::size_t size : {4097U, 8191U, 65'536U, 524'288U, 3'000'001U}) {
    std::string bytes(size, '\0');
    bytes.front() = '\1';
    bytes.back() = '\2';
    const Histogram histogram = Histogram::of_sample(bytes_of(bytes));
    EXPECT_EQ(histogram.size, kSampleBytesMax);
    EXPECT_EQ(histogram.counts[1], 1U) << size;
    EXPECT_EQ(histogram.counts[2], 1U) << size;
  }
}

TEST(Histogram, TheSampleIsSpreadEvenly) {
  // Sixteen stretches of one value each have four of the 64 pieces each, give or take one.
  constexpr std::size_t kStretch = 32 << 10;
  std::string bytes;
  for (int value = 0; value < 16; ++value) bytes.append(kStretch, static_cast<char>(value));
  const Histogram histogram = Histogram::of_sample(bytes_of(bytes));
  for (std::size_t value = 0; value < 16; ++value) {
    EXPECT_NEAR(histogram.counts[value], 256, 64) << value;
  }
}

TEST(Histogram, EntropyOfKnownDistributions) {
  EXPECT_EQ(Histogram{}.entropy(), 0);
  EXPECT_EQ(Histogram::of(bytes_of("x")).entropy(), 0);
  EXPECT_EQ(Histogram::of(bytes_of(std::string(4096, 'x'))).entropy(), 0);
  EXPECT_NEAR(Histogram::of(bytes_of(test::repeated("ab", 4096))).entropy(), 1, 0.001);
  EXPECT_NEAR(Histogram::of(bytes_of(test::repeated("abcdefgh", 4096))).entropy(), 3, 0.002);
  // 1/2, 1/4, 1/8, 1/8: 1.75 bits.
  EXPECT_NEAR(Histogram::of(bytes_of(test::repeated("aaaabbcd", 4096))).entropy(), 1.75, 0.001);
}

TEST(Histogram, EntropyOfRandomBytesIsEightAlsoInSmallSamples) {
  for (const std::size_t size : {1024U, 2048U, 4096U}) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      const std::string bytes = test::random_bytes(size, seed);
      EXPECT_GT(Histogram::of(bytes_of(bytes)).entropy(), 7.93) << size;
    }
  }
}

}  // namespace
}  // namespace chunker::sniff
