#include "cut/candidates.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "cut/cuts.hpp"
#include "cut/gear.hpp"
#include "cut/vectors.hpp"

namespace chunker::cut {
namespace {

Recipe sizes(std::uint64_t min, std::uint64_t avg, std::uint64_t max, std::uint8_t normalization) {
  Recipe recipe;
  recipe.min_bytes = min;
  recipe.avg_bytes = avg;
  recipe.max_bytes = max;
  recipe.normalization = normalization;
  return recipe;
}

AnyCutter cutter_of(const Recipe& recipe, const CutKernel& kernel) {
  return validated_algorithm(recipe).value()->make(recipe, kernel);
}

// Like natural_cuts(), but most pieces were looked through before, and `looked_up` counts those that told something.
std::vector<std::uint64_t> foreseen_cuts(AnyCutter cutter, Bytes bytes, const PieceSize& piece_size,
                                         std::size_t& looked_up) {
  Candidates candidates;
  cutter.follow(candidates);
  std::vector<std::uint64_t> cuts;
  std::uint64_t start = 0;
  for (std::uint64_t seen = 0; seen != bytes.size();) {
    const Bytes piece = bytes.subspan(seen, std::min(piece_size(), bytes.size() - seen));
    // A copy of the exact size, so that a sanitizer sees whoever reads beside the piece.
    const std::vector<std::byte> copy(piece.begin(), piece.end());
    candidates = {};
    if (piece.size() % 5 != 4) cutter.find_candidates(copy, candidates);
    looked_up += candidates.piece.empty() ? 0U : 1U;
    seen += copy.size();
    Bytes rest = copy;
    while (const auto length = cutter.scan(rest)) {
      start += *length;
      cuts.push_back(start);
      cutter.restart(seen - rest.size() - start);
    }
  }
  if (start != bytes.size()) cuts.push_back(bytes.size());
  return cuts;
}

// Every place whose last 48 bytes match, by the definition.
std::vector<std::size_t> places_slowly(const Recipe& recipe, Bytes bytes) {
  const GearTables tables = make_gear_tables(recipe.seed);
  const GearMasks masks = gear_masks(recipe);
  std::vector<std::size_t> places;
  for (std::size_t i = kWindowBytes - 1; i < bytes.size(); ++i) {
    const std::uint64_t hash = hash_of(tables, &bytes[i + 1 - kWindowBytes], kWindowBytes);
    if ((hash & masks.before_center) == 0 || (hash & masks.after_center) == 0) places.push_back(i);
  }
  return places;
}

TEST(CutCandidates, AreAllPlacesThatMatchEitherMask) {
  const auto input = make_input("xorshift", 70'001);
  for (const Recipe& recipe : {sizes(64, 256, 1024, 3), sizes(64, 1024, 4096, 0),
                               sizes(2048, 8192, 32768, 1), sizes(2048, 8192, 32768, 2)}) {
    const auto expected = places_slowly(recipe, input);
    ASSERT_FALSE(expected.empty());
    for (const CutKernel& kernel : kernels_here()) {
      Candidates found;
      cutter_of(recipe, kernel).find_candidates(input, found);
      ASSERT_EQ(found.piece.data(), input.data()) << kernel.name;
      std::vector<std::size_t> places;
      for (const auto& place : found.places) places.push_back(place.index);
      EXPECT_EQ(places, expected) << kernel.name;
    }
  }
}

TEST(CutCandidates, R8_4_ChangeNoCutOfAnyRecipeKernelOrSplit) {
  const auto vectors = load_vectors("cut.json");
  std::vector<std::vector<std::byte>> inputs;
  for (std::size_t kind = 0; kind < vectors["kinds"].size(); ++kind) {
    for (const std::size_t size : {0U, 1U, 47U, 48U, 49U, 5'000U, 60'001U}) {
      inputs.push_back(make_input(vectors["kinds"][kind], size));
    }
  }
  std::size_t looked_up = 0;
  for (const auto& row : vectors["folded"]) {
    for (const CutKernel& kernel : kernels_here()) {
      const AnyCutter cutter = cutter_of(recipe_of(row), kernel);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto expected = natural_cuts(cutter, inputs[i], all_at_once());
        ASSERT_EQ(foreseen_cuts(cutter, inputs[i], all_at_once(), looked_up), expected)
            << kernel.name << row << i;
        ASSERT_EQ(foreseen_cuts(cutter, inputs[i], random_pieces(i), looked_up), expected)
            << kernel.name << row << i;
      }
    }
  }
  EXPECT_GT(looked_up, 1000U);
}

// All sizes up to a few windows, so that chunks, windows and pieces begin and end everywhere around each other.
TEST(CutCandidates, ChangeNoCutWhereverPiecesMeet) {
  const auto input = make_input("xorshift", 20'000);
  std::size_t looked_up = 0;
  for (const CutKernel& kernel : kernels_here()) {
    for (const Recipe& recipe : {sizes(64, 256, 1024, 3), sizes(65, 257, 1025, 1)}) {
      const AnyCutter cutter = cutter_of(recipe, kernel);
      const auto expected = natural_cuts(cutter, input, all_at_once());
      for (std::size_t size = 1; size < 400; ++size) {
        ASSERT_EQ(foreseen_cuts(
                      cutter, input, [size] { return size; }, looked_up),
                  expected)
            << kernel.name << size;
      }
    }
  }
  EXPECT_GT(looked_up, 1000U);
}

// Everywhere the same window: nothing is gained by a list of all places, so there is none.
TEST(CutCandidates, AreGivenUpWhereEveryPlaceMatches) {
  Recipe recipe = sizes(64, 256, 1024, 0);
  // With this entry for zero the steady hash is -entry; look for a seed that makes it match.
  const GearMasks masks = gear_masks(recipe);
  while (((0 - make_gear_tables(recipe.seed).shifted[0][0]) & masks.after_center) != 0) {
    ++recipe.seed;
  }
  const std::vector<std::byte> zeros(100'000);
  for (const CutKernel& kernel : kernels_here()) {
    const AnyCutter cutter = cutter_of(recipe, kernel);
    Candidates found;
    cutter.find_candidates(zeros, found);
    EXPECT_TRUE(found.piece.empty());
    EXPECT_TRUE(found.places.empty());
    EXPECT_LE(found.places.capacity(), zeros.size() / 4);
  }
}

TEST(CutCandidates, OtherAlgorithmsHaveNone) {
  Recipe recipe = sizes(64, 256, 1024, 0);
  const auto input = make_input("xorshift", 5'000);
  for (const auto algorithm : {ChunkingAlgorithm::rabin_karp, ChunkingAlgorithm::fixed}) {
    recipe.algorithm = algorithm;
    Candidates found{.piece = input, .places = {}};
    cutter_of(recipe, kernels().front()).find_candidates(input, found);
    EXPECT_TRUE(found.piece.empty());
  }
}

}  // namespace
}  // namespace chunker::cut
