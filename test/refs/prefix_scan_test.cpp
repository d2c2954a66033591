#include "refs/prefix_scan.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace chunker::refs {
namespace {

std::vector<PrefixScan> scans() {
  return {choose_prefix_scan({}), choose_prefix_scan(base::detect_cpu_features())};
}

void expect_finds(std::string_view data, std::string_view prefix, std::size_t rare,
                  std::size_t next) {
  const std::size_t found = data.find(prefix);
  // A copy of exactly this size, so that a sanitizer sees a byte read outside.
  const std::vector<std::uint8_t> copy(data.begin(), data.end());
  const PrefixNeedle needle{reinterpret_cast<const std::uint8_t*>(prefix.data()), prefix.size(),
                            rare, next};
  for (const PrefixScan scan : scans()) {
    ASSERT_EQ(scan(needle, copy.data(), copy.size()), found == data.npos ? data.size() : found)
        << data.size() << " bytes, place " << found;
  }
}

TEST(PrefixScan, ChoosesByTheProcessor) {
  EXPECT_EQ(choose_prefix_scan({}), find_prefix_portable);
#if defined(__x86_64__)
  EXPECT_EQ(choose_prefix_scan({.avx2 = true}), find_prefix_avx2);
#endif
}

TEST(PrefixScan, FindsThePrefixAtEveryPlaceOfEverySize) {
  for (std::size_t size = 0; size < 200; ++size) {
    expect_finds(std::string(size, 'x'), "/nix/store/", 3, 4);
    for (std::size_t place = 0; place + 11 <= size; ++place) {
      std::string data(size, 'x');
      data.replace(place, 11, "/nix/store/");
      expect_finds(data, "/nix/store/", 3, 4);
    }
  }
}

TEST(PrefixScan, IsNotMisledByPartsOfThePrefix) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string data;
    for (std::size_t size = random() % 150; data.size() < size;) {
      data += std::string_view("/a/b/").substr(random() % 5, 1 + random() % 4);
    }
    expect_finds(data, "/a/b/", 1, 2);
    expect_finds(data, "/", 0, 0);
  }
}

}  // namespace
}  // namespace chunker::refs
