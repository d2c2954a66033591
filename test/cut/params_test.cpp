#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cut/algorithms.hpp"
#include "cut/fast_cdc.hpp"
#include "cut/fixed.hpp"
#include "cut/params.hpp"
#include "cut/rabin_karp.hpp"

namespace chunker::cut {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Refused {
  Recipe recipe;
  std::string parameter;
  std::string bounds;
};

Recipe with(ChunkingAlgorithm algorithm, std::uint64_t min, std::uint64_t avg, std::uint64_t max) {
  Recipe recipe;
  recipe.algorithm = algorithm;
  recipe.min_bytes = min;
  recipe.avg_bytes = avg;
  recipe.max_bytes = max;
  return recipe;
}

Recipe with_normalization(std::uint8_t level) {
  Recipe recipe;
  recipe.normalization = level;
  return recipe;
}

Recipe with_version(std::uint32_t version) {
  Recipe recipe;
  recipe.version = version;
  return recipe;
}

Recipe with_mode(std::uint8_t mode) {
  Recipe recipe;
  recipe.nar_mode = static_cast<NarMode>(mode);
  return recipe;
}

Recipe with_seed(ChunkingAlgorithm algorithm) {
  Recipe recipe;
  recipe.algorithm = algorithm;
  recipe.seed = 1;
  return recipe;
}

constexpr auto kFast = ChunkingAlgorithm::fast_cdc;
constexpr auto kRabin = ChunkingAlgorithm::rabin_karp;
constexpr auto kFixed = ChunkingAlgorithm::fixed;

TEST(CutParams, R21_4_ErrorsNameTheParameterAndItsBounds) {
  const std::vector<Refused> all = {
      {with(kFast, 63, 256, 1024), "min_bytes is 63", "64 to 256"},
      {with(kFast, 257, 256, 1024), "min_bytes is 257", "64 to 256"},
      {with(kFast, 64, 255, 1024), "avg_bytes is 255", "256 to 4194304"},
      {with(kFast, 64, (4 << 20) + 1, 8 << 20), "avg_bytes is 4194305", "256 to 4194304"},
      {with(kFast, 64, 1025, 1024), "avg_bytes is 1025", "64 to 1024"},
      {with(kFast, 64, 256, 1023), "max_bytes is 1023", "1024 to 1073741824"},
      {with(kFast, 64, 256, (1 << 30) + 1), "max_bytes is 1073741825", "to 1073741824"},
      {with(kFast, 0, 0, 0), "max_bytes is 0", "64 to 1073741824"},
      {with(kRabin, 64, 127, 1024), "avg_bytes is 127", "128 to 1024"},
      {with(kRabin, 63, 256, 1024), "min_bytes is 63", "64 to 256"},
      {with(kFixed, 64, 63, 1024), "avg_bytes is 63", "64 to 1024"},
      {with(kFixed, 65, 64, 64), "min_bytes is 65", "64 to 64"},
      {with_normalization(4), "normalization is 4", "0 to 3"},
      {with_version(0), "version is 0", "1 to 1"},
      {with_version(2), "version is 2", "1 to 1"},
      {with_mode(3), "nar_mode is 3", "0 to 2"},
      {with_seed(kRabin), "seed is 1", "0 to 0"},
      {with_seed(kFixed), "seed is 1", "0 to 0"},
  };
  for (const Refused& refused : all) {
    const auto result = validated_algorithm(refused.recipe);
    ASSERT_FALSE(result) << refused.parameter;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().context,
                AllOf(HasSubstr(refused.parameter), HasSubstr(refused.bounds)));
  }
}

TEST(CutParams, R21_4_TheBoundsThemselvesAreAllowed) {
  for (const Recipe& recipe :
       {with(kFast, 64, 256, 1024), with(kFast, 4 << 20, 4 << 20, 1 << 30),
        with(kRabin, 64, 128, 128), with(kRabin, 64, 1 << 30, 1 << 30), with(kFixed, 64, 64, 64),
        with_normalization(0), with_normalization(3), with_mode(0)}) {
    EXPECT_TRUE(validated_algorithm(recipe));
  }
}

TEST(CutParams, R21_4_EachAlgorithmHasItsOwnValidation) {
  const Recipe small = with(kFixed, 64, 100, 100);
  EXPECT_TRUE(Fixed::validate_params(small));
  EXPECT_FALSE(FastCdc::validate_params(small));
  EXPECT_FALSE(RabinKarp::validate_params(small));
}

TEST(CutParams, R21_1_ThreeAlgorithmsAndNoOther) {
  std::vector<std::string_view> names;
  for (const Algorithm& algorithm : algorithms()) names.push_back(algorithm.name);
  EXPECT_THAT(names, testing::ElementsAre("fast_cdc", "rabin_karp", "fixed"));
  for (const int number : {0, 4, 255}) {
    Recipe recipe;
    recipe.algorithm = static_cast<ChunkingAlgorithm>(number);
    EXPECT_EQ(validated_algorithm(recipe).error().code, ErrorCode::invalid_argument);
  }
}

TEST(CutParams, R2_1_DefaultsAreMadeForNars) {
  const Recipe recipe;
  EXPECT_EQ(recipe.min_bytes, 128U << 10);
  EXPECT_EQ(recipe.avg_bytes, 512U << 10);
  EXPECT_EQ(recipe.max_bytes, 2U << 20);
  EXPECT_EQ(validated_algorithm(recipe).value()->id, ChunkingAlgorithm::fast_cdc);
}

TEST(CutParams, RoundedLogarithmAgreesWithFloatingPoint) {
  for (std::uint64_t value = 1; value < (1U << 22); value += 1 + value / 1000) {
    EXPECT_EQ(rounded_log2(value), static_cast<unsigned>(std::lround(std::log2(value)))) << value;
  }
  EXPECT_EQ(rounded_log2(46340), 15U);  // just below and above 2^15.5
  EXPECT_EQ(rounded_log2(46341), 16U);
}

}  // namespace
}  // namespace chunker::cut
