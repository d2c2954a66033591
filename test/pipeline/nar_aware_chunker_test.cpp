#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "chunker/chunking.hpp"
#include "pipeline/chunked_nar.hpp"

namespace chunker {
namespace {

TEST(NarAwareChunker, R1_3_AllModesAgreeWithTheReference) {
  const auto& [json, nars] = vectors();
  ASSERT_GE(json["folded"].size(), 60U);
  for (std::size_t i = 0; i < nars.size(); ++i) {
    ASSERT_EQ(nars[i].size(), json["nar_bytes"][i].get<std::size_t>());
  }
  for (const Json& row : json["folded"]) {
    std::uint64_t at_once = cut::kFoldBegin;
    std::uint64_t in_pieces = cut::kFoldBegin;
    for (std::size_t i = 0; i < nars.size(); ++i) {
      at_once =
          cut::fold(at_once, cuts_of(chunk(cut::recipe_of(row), nars[i], all_at_once())->chunks));
      in_pieces = cut::fold(in_pieces,
                            cuts_of(chunk(cut::recipe_of(row), nars[i], random_pieces(i))->chunks));
    }
    EXPECT_EQ(std::to_string(at_once), row["fold"].get<std::string>()) << row;
    EXPECT_EQ(std::to_string(in_pieces), row["fold"].get<std::string>()) << row;
  }
}

TEST(NarAwareChunker, R2_2_NoChunkIsOnlyPaddingNorTooLargeInAnyMode) {
  for (const Json& row : vectors().json["folded"]) {
    const Recipe recipe = cut::recipe_of(row);
    for (const std::string& nar : vectors().nars) {
      const auto padding = padding_of(nar);
      const auto result = chunk(recipe, nar, random_pieces(nar.size()));
      ASSERT_TRUE(validate_chunks(result->chunks, nar.size()));
      for (const ChunkExtent& extent : result->chunks) {
        ASSERT_LE(extent.size_bytes, recipe.max_bytes) << row;
        const auto begin = padding.begin() + static_cast<std::ptrdiff_t>(extent.offset_bytes);
        const auto end = begin + static_cast<std::ptrdiff_t>(extent.size_bytes);
        ASSERT_NE(std::find(begin, end, false), end) << row << extent.offset_bytes;
        ASSERT_TRUE(recipe.nar_mode == NarMode::off || !*begin) << row << extent.offset_bytes;
      }
    }
  }
}

// Sizes all around one word, so that cuts fall on every byte of every kind of padding.
TEST(NarAwareChunker, R2_2_FixedChunksOfEverySizeHoldMoreThanPadding) {
  const std::string nar =
      make_nar(Json::parse(R"({"a": 1, "b": "target", "c": 1001, "d": 7, "e": 130})"));
  const auto padding = padding_of(nar);
  for (const NarMode mode : kModes) {
    for (std::uint64_t size = 64; size < 300; ++size) {
      Recipe recipe = small_recipe(mode, 64, size, size);
      recipe.algorithm = ChunkingAlgorithm::fixed;
      const auto result = chunk(recipe, nar, all_at_once());
      ASSERT_TRUE(validate_chunks(result->chunks, nar.size()));
      for (const ChunkExtent& extent : result->chunks) {
        ASSERT_LE(extent.size_bytes, size);
        const auto begin = padding.begin() + static_cast<std::ptrdiff_t>(extent.offset_bytes);
        const auto end = begin + static_cast<std::ptrdiff_t>(extent.size_bytes);
        ASSERT_NE(std::find(begin, end, false), end) << size;
      }
    }
  }
}

TEST(NarAwareChunker, R2_5_ChunksDoNotDependOnHowTheStreamArrives) {
  for (const NarMode mode : kModes) {
    for (const std::string& nar : vectors().nars) {
      const auto whole = chunk(small_recipe(mode), nar, all_at_once());
      for (const auto& pieces :
           {PieceSize([] { return std::size_t{1}; }), PieceSize([] { return std::size_t{8}; }),
            random_pieces(1), random_pieces(2), random_pieces(3)}) {
        const auto split = chunk(small_recipe(mode), nar, pieces);
        ASSERT_EQ(split->chunks, whole->chunks);
        ASSERT_EQ(split->entries, whole->entries);
      }
    }
  }
}

// The chunks that lie in the contents of the entry at `path`, counted from its beginning.
std::vector<ChunkExtent> chunks_in(const Chunked& chunked, std::string_view path) {
  std::vector<ChunkExtent> inside;
  for (const NarEntry& entry : chunked.entries) {
    if (entry.path != path) continue;
    for (const ChunkExtent& extent : chunked.chunks) {
      if (extent.offset_bytes < entry.offset_bytes ||
          extent.offset_bytes >= entry.offset_bytes + entry.size_bytes) {
        continue;
      }
      inside.push_back({extent.offset_bytes - entry.offset_bytes, extent.size_bytes});
    }
  }
  return inside;
}

TEST(NarAwareChunker, R2_5_AlignedContentsGiveTheSameChunksWhereverTheyLie) {
  for (const int size : {64, 65, 71, 1023, 1024, 5000, 54321}) {
    const Json first = {{"a", size}};
    const Json second = {
        {"0", 777}, {"1", "target"}, {"2", Json::object()}, {"a", size}, {"b", 3000}};
    const auto alone = chunk(small_recipe(NarMode::aligned), make_nar(first), all_at_once());
    const auto among = chunk(small_recipe(NarMode::aligned), make_nar(second), random_pieces(9));
    const auto chunks = chunks_in(*alone, "a");
    ASSERT_FALSE(chunks.empty());
    EXPECT_EQ(chunks.front().offset_bytes, 0U) << size;
    const ChunkExtent& last = chunks.back();
    EXPECT_EQ(last.offset_bytes + last.size_bytes, static_cast<std::uint64_t>(size + 7) / 8 * 8)
        << size;
    EXPECT_EQ(chunks, chunks_in(*among, "a")) << size;
  }
}

TEST(NarAwareChunker, R1_3_SmallFilesAreNotCutOut) {
  const auto result =
      chunk(small_recipe(NarMode::aligned, 500, 1000, 4000),
            make_nar(Json::parse(R"({"a": 100, "b": 499, "c": 500})")), all_at_once());
  ASSERT_EQ(result->entries.size(), 4U);
  const NarEntry& large = result->entries.back();
  EXPECT_EQ(result->chunks.size(), 3U);
  EXPECT_EQ(result->chunks[1], (ChunkExtent{large.offset_bytes, 504}));
}

struct Natural {
  std::uint64_t cut;
  bool at_end;
};

// Where the algorithm alone would end the chunk that begins at `start`.
Natural natural_cut(const Recipe& recipe, std::string_view nar, std::uint64_t start) {
  Recipe blind = recipe;
  blind.nar_mode = NarMode::off;
  const std::string rest = "x" + std::string(nar.substr(start + 1));  // no NAR, so nothing is moved
  const auto chunks = chunk(blind, rest, all_at_once())->chunks;
  return {start + chunks.front().size_bytes, chunks.size() == 1};
}

TEST(NarAwareChunker, R1_4_TheNearestBoundaryWithinAQuarterOfTheAverageWins) {
  std::size_t attracted = 0;
  for (const std::string& nar : vectors().nars) {
    const Recipe recipe = small_recipe(NarMode::biased, 300, 1024, 4001);
    const auto result = chunk(recipe, nar, random_pieces(nar.size()));
    std::vector<std::uint64_t> boundaries;
    for (const NarEntry& entry : result->entries) {
      if (entry.type != NarEntryType::regular || entry.size_bytes == 0) continue;
      boundaries.push_back(entry.offset_bytes);
      boundaries.push_back((entry.offset_bytes + entry.size_bytes + 7) / 8 * 8);
    }
    for (const ChunkExtent& extent : result->chunks) {
      const Natural natural = natural_cut(recipe, nar, extent.offset_bytes);
      const std::uint64_t cut = extent.offset_bytes + extent.size_bytes;
      if (natural.at_end) continue;
      const auto distance = [&natural](std::uint64_t b) {
        return b < natural.cut ? natural.cut - b : b - natural.cut;
      };
      std::optional<std::uint64_t> nearest;
      for (const std::uint64_t b : boundaries) {
        if (b <= extent.offset_bytes || b > extent.offset_bytes + 4001 || distance(b) > 256)
          continue;
        if (!nearest || distance(b) < distance(*nearest)) nearest = b;
      }
      if (nearest) {
        ++attracted;
        ASSERT_EQ(cut, *nearest);
      } else {
        ASSERT_LE(distance(cut), 7U);
      }
    }
  }
  EXPECT_GT(attracted, 20U);
}

// Fixed cuts make the distances plain: the natural cut is at 1004, and boundaries reach it from 251 away.
Chunked cut_at_1004(const Json& tree) {
  Recipe recipe = small_recipe(NarMode::biased, 64, 1004, 2000);
  recipe.algorithm = ChunkingAlgorithm::fixed;
  return chunk(recipe, make_nar(tree), all_at_once()).value();
}

std::uint64_t first_cut(const Json& tree) { return cut_at_1004(tree).chunks.front().size_bytes; }

std::uint64_t last_file_begin(const Json& tree) {
  return cut_at_1004(tree).entries.back().offset_bytes;
}

TEST(NarAwareChunker, R1_4_OfTwoEquallyNearBoundariesTheEarlierWins) {
  const std::uint64_t a_begin = last_file_begin({{"a", 8}});
  const std::uint64_t gap = last_file_begin({{"a", 8}, {"b", 5000}}) - (a_begin + 8);
  ASSERT_EQ(gap % 16, 8U);  // "a" can end, and "b" begin, equally far from 1004
  const std::uint64_t size = 1004 - gap / 2 - a_begin;
  EXPECT_EQ(first_cut({{"a", size}, {"b", 5000}}), 1004 - gap / 2);
  EXPECT_EQ(first_cut({{"a", size - 8}, {"b", 5000}}), 1004 + gap / 2 - 8);
  EXPECT_EQ(first_cut({{"a", size + 8}, {"b", 5000}}), 1004 - gap / 2 + 8);
}

TEST(NarAwareChunker, R1_4_ABoundaryReachesNoFurtherThanAQuarterOfTheAverage) {
  const std::uint64_t nearest = last_file_begin({{"a", "x"}, {"b", 5000}}) - 8;
  const auto b_begins_at = [nearest](std::uint64_t offset) {
    return Json{{"a", std::string(offset - nearest, 'x')}, {"b", 5000}};
  };
  ASSERT_EQ(last_file_begin(b_begins_at(1248)), 1248U);
  EXPECT_EQ(first_cut(b_begins_at(1248)), 1248U);
  EXPECT_EQ(first_cut(b_begins_at(1256)), 1008U);  // the end of the word that holds 1004
  EXPECT_EQ(first_cut(b_begins_at(760)), 760U);
  EXPECT_EQ(first_cut(b_begins_at(752)), 1004U);  // in contents, where a cut stays
}

TEST(NarAwareChunker, R1_2_TheHeaderIsItsOwnChunkInEveryMode) {
  const std::string first =
      make_nar(Json::parse(R"({"0": "target", "1": 0, "a": 5000, "b": 100})"));
  const std::string second =
      make_nar(Json::parse(R"({"0": "target", "1": 0, "a": 5000, "c": 999})"));
  for (const NarMode mode : kModes) {
    Recipe recipe = small_recipe(mode, 400, 1000, 4000);
    recipe.header_chunk = true;
    for (const std::string& nar : {first, second}) {
      const auto result = chunk(recipe, nar, random_pieces(3));
      EXPECT_EQ(result->chunks.front(), (ChunkExtent{0, result->entries.at(3).offset_bytes}));
    }
    const auto all_header =
        chunk(recipe, make_nar(Json::parse(R"({"a": "target", "b": 0})")), all_at_once());
    EXPECT_EQ(all_header->chunks.size(), 1U);
    recipe.header_chunk = false;
    const auto without = chunk(recipe, first, all_at_once());
    EXPECT_NE(without->chunks.front().size_bytes,
              without->entries.at(3).offset_bytes == 0 ? 1U : 0U);
  }
}

TEST(NarAwareChunker, R1_2_AHeaderLargerThanAChunkIsSplitAtTheMaximum) {
  Json tree = Json::object();
  for (int i = 100; i < 200; ++i) tree[std::to_string(i)] = "target";
  tree["a"] = 5000;
  Recipe recipe = small_recipe(NarMode::aligned, 64, 256, 1029);
  recipe.header_chunk = true;
  const auto result = chunk(recipe, make_nar(tree), random_pieces(3));
  const std::uint64_t header_bytes = result->entries.back().offset_bytes;
  for (std::size_t i = 0; i < header_bytes / 1024; ++i) {
    EXPECT_EQ(result->chunks.at(i), (ChunkExtent{i * 1024, 1024}));
  }
  EXPECT_EQ(result->chunks.at(header_bytes / 1024),
            (ChunkExtent{header_bytes / 1024 * 1024, header_bytes % 1024}));
}

TEST(NarAwareChunker, R1_3_WhatIsNoNarIsCutAsPlainBytes) {
  const auto noise = cut::make_input("xorshift", 50001);
  const std::string_view plain = text_of(noise);
  const Recipe blind = small_recipe(NarMode::off);
  for (const std::string_view bytes :
       {plain, plain.substr(0, 24), plain.substr(0, 23), plain.substr(0, 1),
        kNarMagic.substr(0, 23), std::string_view()}) {
    const auto algorithm = cut::validated_algorithm(blind).value();
    const auto natural = cut::natural_cuts(algorithm->make(blind, cut::kernels().front()),
                                           bytes_of(bytes), all_at_once());
    for (const NarMode mode : kModes) {
      const auto result = chunk(small_recipe(mode), bytes, random_pieces(bytes.size()));
      ASSERT_TRUE(result);
      EXPECT_FALSE(result->is_nar);
      EXPECT_TRUE(result->entries.empty());
      EXPECT_EQ(cuts_of(result->chunks), natural);
    }
  }
}

TEST(NarAwareChunker, OffCutsLikePlainBytesButForTheLastWord) {
  for (const std::string& nar : vectors().nars) {
    const Recipe recipe = small_recipe(NarMode::off);
    auto natural = cut::natural_cuts(
        cut::validated_algorithm(recipe).value()->make(recipe, cut::kernels().front()),
        bytes_of(nar), all_at_once());
    const auto result = chunk(recipe, nar, all_at_once());
    if (natural.size() > 1 && nar.size() - natural.end()[-2] < 8) continue;
    EXPECT_EQ(cuts_of(result->chunks), natural);
  }
}

TEST(NarAwareChunker, ErrorsOfTheArchiveEndTheStreamAndAreRepeated) {
  const std::string good = make_nar(Json::parse(R"({"a": 5000})"));
  for (const NarMode mode : kModes) {
    const auto truncated =
        chunk(small_recipe(mode), std::string_view(good).substr(0, 3000), all_at_once());
    ASSERT_FALSE(truncated);
    EXPECT_EQ(truncated.error().code, ErrorCode::nar_truncated);
    EXPECT_EQ(chunk(small_recipe(mode), good + "x", all_at_once()).error().code,
              ErrorCode::nar_trailing_bytes);

    NarAwareChunker chunker(ChunkingOptions{small_recipe(mode)}.resolve().value());
    std::vector<ChunkExtent> chunks;
    const auto first = chunker.feed(bytes_of(good.substr(0, 60) + "garbage"), chunks);
    ASSERT_FALSE(first);
    EXPECT_EQ(chunker.feed(bytes_of("more"), chunks).error(), first.error());
    EXPECT_EQ(chunker.finish(chunks).error(), first.error());
  }
}

TEST(NarAwareChunker, R1_6_MemoryAndWhatTheCallerKeepsDoNotGrowWithTheArchive) {
  const std::string nar = make_nar(Json{{"a", 3000000}, {"b", 1000000}});
  for (const NarMode mode : kModes) {
    EXPECT_LE(chunk(small_recipe(mode), nar, random_pieces(5))->kept_bytes_max, 1024U + 8);
  }
}

}  // namespace
}  // namespace chunker
