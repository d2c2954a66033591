#include "delta/similarity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace chunker::delta {
namespace {

using Json = nlohmann::json;
using Chunk = std::vector<std::byte>;

Json vectors() {
  std::ifstream file(CHUNKER_SOURCE_DIR "/vectors/similarity.json");
  return Json::parse(file);
}

std::optional<Features> features_in(const Json& row) {
  if (row.at("features").is_null()) return std::nullopt;
  Features features{};
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    features.values[i] = std::stoull(row.at("features").at(i).get<std::string>(), nullptr, 16);
  }
  return features;
}

Chunk xorshift(std::size_t size, std::uint64_t state) {
  Chunk bytes;
  while (bytes.size() < size) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<std::byte>(state >> shift));
    }
  }
  bytes.resize(size);
  return bytes;
}

Chunk make_input(const std::string& kind, std::size_t size) {
  if (kind == "xorshift") return xorshift(size, 0x9e3779b97f4a7c15);
  if (kind == "nibbles") {
    Chunk bytes = xorshift(size, 0x2545f4914f6cdd1d);
    for (std::byte& byte : bytes) byte &= std::byte{15};
    return bytes;
  }
  Chunk bytes(size);
  if (kind == "cycle251") {
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  }
  return bytes;
}

TEST(Similarity, AgreesWithTheReference) {
  const Json rows = vectors().at("chunks");
  ASSERT_GE(rows.size(), 17U);
  for (const Json& row : rows) {
    EXPECT_EQ(features_of(make_input(row.at("kind"), row.at("size"))), features_in(row)) << row;
  }
}

TEST(Similarity, NoWindowIsMissedWhereverItStands) {
  const Json row = vectors().at("lone_window");
  const std::string hex = row.at("window");
  Chunk window;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    window.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  for (std::size_t size = kFeatureBytesMin; size < kFeatureBytesMin + 8; ++size) {
    for (std::size_t at = 0; at + window.size() <= size; ++at) {
      Chunk chunk(size);
      std::ranges::copy(window, chunk.begin() + static_cast<std::ptrdiff_t>(at));
      ASSERT_EQ(features_of(chunk), features_in(row)) << at << " of " << size;
    }
  }
}

TEST(Similarity, ShortChunksHaveNoFeatures) {
  const Chunk chunk = xorshift(kFeatureBytesMin, 7);
  EXPECT_TRUE(features_of(chunk));
  EXPECT_FALSE(features_of(Bytes(chunk).first(kFeatureBytesMin - 1)));
  EXPECT_FALSE(features_of({}));
}

// Of what both have, half is in common where two thirds of each are: then each feature agrees every second time.
TEST(Similarity, FeaturesAgreeAsOftenAsContentsOverlap) {
  constexpr std::size_t kPairs = 100, kThird = 12 << 10;
  std::size_t agreeing = 0;
  for (std::uint64_t pair = 1; pair <= kPairs; ++pair) {
    const Chunk all = xorshift(4 * kThird, pair);
    const auto a = features_of(Bytes(all).first(3 * kThird));
    const auto b = features_of(Bytes(all).last(3 * kThird));
    ASSERT_TRUE(a && b);
    agreeing += agreement(*a, *b);
  }
  EXPECT_GT(agreeing, kPairs * kFeatureCount * 40 / 100);
  EXPECT_LT(agreeing, kPairs * kFeatureCount * 60 / 100);
}

TEST(Similarity, UnrelatedChunksAgreeInNothing) {
  std::set<std::uint64_t> values;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto features = features_of(xorshift(64 << 10, seed));
    ASSERT_TRUE(features);
    values.insert(features->values.begin(), features->values.end());
  }
  EXPECT_EQ(values.size(), 100 * kFeatureCount);
}

TEST(Similarity, AgreementCountsFeatureByFeature) {
  EXPECT_EQ(agreement({{1, 2, 3, 4}}, {{1, 2, 3, 4}}), 4U);
  EXPECT_EQ(agreement({{1, 2, 3, 4}}, {{1, 0, 3, 0}}), 2U);
  EXPECT_EQ(agreement({{1, 2, 3, 4}}, {{4, 3, 2, 1}}), 0U);
}

}  // namespace
}  // namespace chunker::delta
