#include "cut/vectors.hpp"

#include <gtest/gtest.h>

#include "cut/cuts.hpp"

namespace chunker::cut {
namespace {

AnyCutter cutter_of(const Recipe& recipe, const CutKernel& kernel) {
  return validated_algorithm(recipe).value()->make(recipe, kernel);
}

TEST(CutVectors, TheScalarKernelIsAlwaysThere) { EXPECT_EQ(kernels_here().front().name, "scalar"); }

TEST(CutVectors, R21_1_AllAlgorithmsAgreeWithTheReferenceOnTheGrid) {
  const auto vectors = load_vectors("cut.json");
  std::vector<std::vector<std::byte>> inputs;
  for (std::size_t kind = 0; kind < vectors["kinds"].size(); ++kind) {
    auto sizes = vectors["sizes"].get<std::vector<std::size_t>>();
    sizes.push_back(vectors["large_sizes"][kind]);
    for (const std::size_t size : sizes) inputs.push_back(make_input(vectors["kinds"][kind], size));
  }
  ASSERT_GE(vectors["folded"].size(), 60U);
  for (const auto& row : vectors["folded"]) {
    for (const CutKernel& kernel : kernels_here()) {
      const AnyCutter cutter = cutter_of(recipe_of(row), kernel);
      std::uint64_t at_once = kFoldBegin;
      std::uint64_t in_pieces = kFoldBegin;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        at_once = fold(at_once, natural_cuts(cutter, inputs[i], all_at_once()));
        in_pieces = fold(in_pieces, natural_cuts(cutter, inputs[i], random_pieces(i)));
      }
      EXPECT_EQ(std::to_string(at_once), row["fold"].get<std::string>()) << kernel.name << row;
      EXPECT_EQ(std::to_string(in_pieces), row["fold"].get<std::string>()) << kernel.name << row;
    }
  }
}

TEST(CutVectors, R2_1_DefaultSizesAgreeWithTheReferenceCutByCut) {
  const auto vectors = load_vectors("cut.json");
  ASSERT_GE(vectors["listed"].size(), 5U);
  for (const auto& row : vectors["listed"]) {
    const auto input = make_input(row["input"], row["bytes"]);
    const auto expected = row["cuts"].get<std::vector<std::uint64_t>>();
    for (const CutKernel& kernel : kernels_here()) {
      const AnyCutter cutter = cutter_of(recipe_of(row), kernel);
      EXPECT_EQ(natural_cuts(cutter, input, all_at_once()), expected)
          << kernel.name << row["input"];
      EXPECT_EQ(natural_cuts(cutter, input, random_pieces(1)), expected)
          << kernel.name << row["input"];
    }
  }
}

}  // namespace
}  // namespace chunker::cut
