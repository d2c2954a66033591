#include "hash/repeats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "hash/cycle.hpp"

namespace chunker::hash {
namespace {

using Indexes = std::vector<std::size_t>;

TEST(Repeats, R8_3_ADifferenceIsSeenWhereverItLies) {
  for (const std::size_t size : {1U, 15U, 16U, 63U, 64U, 65U, 500U}) {
    const ByteBuffer original = test::cycle251(size);
    ByteBuffer other(original.view());
    EXPECT_EQ(first_occurrences(std::vector<Bytes>{original, other}), (Indexes{0, 0})) << size;
    for (std::size_t at = 0; at < size; ++at) {
      other.span()[at] ^= std::byte{1};
      EXPECT_EQ(first_occurrences(std::vector<Bytes>{original, other}), (Indexes{0, 1}))
          << at << " of " << size;
      other.span()[at] ^= std::byte{1};
    }
  }
}

bool equal_byte_by_byte(Bytes a, Bytes b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

template <class Work>
std::chrono::nanoseconds quickest_of_many(Work work) {
  auto quickest = std::chrono::nanoseconds::max();
  for (int round = 0; round < 50; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    quickest =
        std::min<std::chrono::nanoseconds>(quickest, std::chrono::steady_clock::now() - begin);
  }
  return quickest;
}

// Many bytes at once, or it could not be: the loop takes one a cycle, vectors 32 and more.
TEST(Repeats, R8_3_EqualChunksAreComparedManyBytesAtOnce) {
  const ByteBuffer one = test::cycle251(256 << 10), two = test::cycle251(256 << 10);
  const std::vector<Bytes> inputs{one, two};
  Indexes first;
  const auto vectors = quickest_of_many([&] { first = first_occurrences(inputs); });
  ASSERT_EQ(first, (Indexes{0, 0}));
  volatile bool equal = false;
  const auto loop = quickest_of_many([&] { equal = equal_byte_by_byte(one, two); });
  ASSERT_TRUE(equal);
  EXPECT_GT(loop / vectors, 2);
}

}  // namespace
}  // namespace chunker::hash
