#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/chunking.hpp"
#include "pipeline/chunked_nar.hpp"

namespace chunker {
namespace {

using namespace std::string_view_literals;

// The trees that are one file, as streams that are no NAR.
std::vector<std::string> plain_streams() {
  std::vector<std::string> streams;
  for (const Json& tree : landmark_vectors().json["trees"]) {
    if (tree.is_array()) streams.push_back(contents_of(tree));
  }
  return streams;
}

TEST(Landmarks, R2_3_R2_4_R16_4_R16_5_AllRecipesAgreeWithTheReference) {
  const auto& [json, nars] = landmark_vectors();
  auto streams = plain_streams();
  streams.insert(streams.begin(), nars.begin(), nars.end());
  ASSERT_GE(json["folded"].size(), 60U);
  for (std::size_t i = 0; i < nars.size(); ++i) {
    ASSERT_EQ(nars[i].size(), json["nar_bytes"][i].get<std::size_t>());
  }
  for (const Json& row : json["folded"]) {
    const Recipe recipe = cut::recipe_of(row);
    std::uint64_t at_once = cut::kFoldBegin;
    std::uint64_t in_pieces = cut::kFoldBegin;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      at_once = cut::fold(at_once, cuts_of(chunk(recipe, streams[i], all_at_once())->chunks));
      in_pieces =
          cut::fold(in_pieces, cuts_of(chunk(recipe, streams[i], random_pieces(i))->chunks));
    }
    EXPECT_EQ(std::to_string(at_once), row["fold"].get<std::string>()) << row;
    EXPECT_EQ(std::to_string(in_pieces), row["fold"].get<std::string>()) << row;
  }
}

// Natural cuts every 5000 bytes, which reach as far as 936.
constexpr std::uint64_t kEvery = 5000, kReach = 936;

Recipe every_5000_bytes(bool Recipe::* preference) {
  Recipe recipe = small_recipe(NarMode::aligned, 1000, kEvery, 6000);
  recipe.algorithm = ChunkingAlgorithm::fixed;
  recipe.*preference = true;
  return recipe;
}

// The cuts of a file that is no NAR, which are those of the same file in one.
std::vector<std::uint64_t> cuts_in(bool Recipe::* preference, std::string_view file) {
  const Recipe recipe = every_5000_bytes(preference);
  const auto alone = cuts_of(chunk(recipe, file, random_pieces(file.size()))->chunks);
  std::string nar;
  append_strings(nar, {"nix-archive-1", "(", "type", "regular", "contents", file, ")"});
  const auto inside = chunk(recipe, nar, random_pieces(1));
  std::vector<std::uint64_t> cuts;
  for (const std::uint64_t cut : cuts_of(inside->chunks)) {
    const std::uint64_t begin = inside->entries[0].offset_bytes;
    if (cut > begin && cut < begin + file.size()) cuts.push_back(cut - begin);
  }
  cuts.push_back(file.size());
  EXPECT_EQ(cuts, alone);
  return alone;
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// An ELF file for x86-64 with one program header, whose part is executable, and sections at `sections_at`.
std::string elf(std::uint64_t part_at, std::uint64_t part_bytes, std::uint64_t sections_at) {
  std::string file(20000, '\0');
  file.replace(0, 6, "\x7f\x45\x4c\x46\x02\x01"sv);
  put(file, 18, 62, 2);
  put(file, 32, 64, 8);
  put(file, 40, sections_at, 8);
  put(file, 54, 56, 2);
  put(file, 56, 1, 2);
  put(file, 64, 1, 4);
  put(file, 68, 5, 4);
  put(file, 72, part_at, 8);
  put(file, 96, part_bytes, 8);
  return file;
}

using Cuts = std::vector<std::uint64_t>;

TEST(Landmarks, R2_3_CutsMoveToBoundariesOfElfSegments) {
  constexpr auto kSections = &Recipe::prefer_sections;
  EXPECT_EQ(cuts_in(kSections, elf(5000 - kReach, 10000, 0)),
            (Cuts{4064, 9064, 14064, 19064, 20000}));
  EXPECT_EQ(cuts_in(kSections, elf(5000 + kReach, 10000, 0)), (Cuts{5936, 10936, 15936, 20000}));
  EXPECT_EQ(cuts_in(kSections, elf(5000 - kReach - 1, 10000, 0)), (Cuts{5000, 10000, 15000, 20000}))
      << "too far";
  EXPECT_EQ(cuts_in(kSections, elf(5001, 9499, 0)), (Cuts{5001, 10001, 14500, 19500, 20000}));
  EXPECT_EQ(cuts_in(kSections, elf(4900, 200, 0)).front(), 4900U) << "the earlier of two";
  EXPECT_EQ(cuts_in(kSections, elf(4899, 200, 0)).front(), 5099U) << "the nearer of two";
  EXPECT_EQ(cuts_in(kSections, elf(1, 0, 5123)).front(), 5123U) << "where sections begin";
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, elf(5001, 1, 0)).front(), 5000U) << "another option";
}

// Sections as linkers arrange them: .text is a segment, .rodata and .eh_frame another one; the table of them stands
// at the end, where no stream can know it in time.
struct Section {
  std::uint64_t begin, size;
};
constexpr Section kText{5100, 4800}, kRodata{10200, 4700}, kEhFrame{14900, 1100};

std::string elf_with_sections() {
  constexpr std::uint64_t kTable = 19000, kSegmentHeader = 120;
  std::string file = elf(kText.begin, kText.size, kTable);
  put(file, 56, 2, 2);
  put(file, kSegmentHeader, 1, 4);
  put(file, kSegmentHeader + 4, 4, 4);
  put(file, kSegmentHeader + 8, kRodata.begin, 8);
  put(file, kSegmentHeader + 32, kRodata.size + kEhFrame.size, 8);
  put(file, 58, 64, 2);
  put(file, 60, 3, 2);
  std::uint64_t header = kTable;
  for (const Section& section : {kText, kRodata, kEhFrame}) {
    put(file, header + 4, 1, 4);
    put(file, header + 24, section.begin, 8);
    put(file, header + 32, section.size, 8);
    header += 64;
  }
  return file;
}

TEST(Landmarks, R2_3_CutsAreWhereSectionsOfAnElfFileBeginAndEnd) {
  const std::string file = elf_with_sections();
  EXPECT_EQ(cuts_in(&Recipe::prefer_sections, file),
            (Cuts{kText.begin, kRodata.begin, kEhFrame.begin + kEhFrame.size, file.size()}));
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, file), (Cuts{5000, 10000, 15000, 20000}));
}

TEST(Landmarks, R2_3_CutsMoveToMachOSections) {
  std::string file(20000, '\0');
  file.replace(0, 4, "\xcf\xfa\xed\xfe"sv);
  put(file, 16, 2, 4);                        // two commands
  put(file, 32, 2, 4), put(file, 36, 24, 4);  // one is of no interest
  put(file, 56, 0x19, 4), put(file, 60, 72 + 80, 4);
  put(file, 56 + 40, 0, 8), put(file, 56 + 48, 10111, 8);
  put(file, 56 + 64, 1, 4);
  put(file, 128 + 40, 400, 8), put(file, 128 + 48, 5100, 4);
  EXPECT_EQ(cuts_in(&Recipe::prefer_sections, file), (Cuts{5100, 10111, 15111, 20000}));
  put(file, 128 + 64, 1, 4);  // zero fill, which is not in the file
  EXPECT_EQ(cuts_in(&Recipe::prefer_sections, file), (Cuts{5000, 10111, 15111, 20000}));
  put(file, 60, 71 + 80, 4);  // the section ends behind its command
  put(file, 128 + 64, 0, 4);
  EXPECT_EQ(cuts_in(&Recipe::prefer_sections, file).front(), 5000U);
}

TEST(Landmarks, R2_4_TheHintMovesCutsToFunctionsInMachineCode) {
  constexpr auto kHint = &Recipe::dedup_hint;
  for (const std::string_view end :
       {"\xc3"sv, "\xcc"sv, "\x90"sv, "\x0f\x1f\0"sv, "\x0f\x1f\x40\0"sv, "\x0f\x1f\x44\0\0"sv,
        "\x0f\x1f\x80\0\0\0\0"sv, "\x0f\x1f\x84\0\0\0\0\0"sv}) {
    std::string file = elf(4096, 15000, 0);
    file.replace(4800 - end.size(), end.size(), end);
    file.replace(4905 - end.size(), end.size(), end);  // nothing is aligned like this
    EXPECT_EQ(cuts_in(kHint, file).front(), 4800U);
    file.replace(4800 - end.size(), end.size(), std::string(end.size(), '\x01'));
    EXPECT_EQ(cuts_in(kHint, file).front(), 5000U);
  }
  std::string file = elf(4096, 15000, 0);
  file.replace(4992, 4, "\xf3\x0f\x1e\xfa"sv);
  EXPECT_EQ(cuts_in(kHint, file).front(), 4992U);
  put(file, 68, 4, 4);  // the same where nothing is executed
  EXPECT_EQ(cuts_in(kHint, file).front(), 5000U);
}

TEST(Landmarks, R2_4_OnArm64TheHintMovesCutsToInstructionsAtLeast) {
  std::string file = elf(4096, 15000, 0);
  put(file, 18, 183, 2);
  EXPECT_EQ(cuts_in(&Recipe::dedup_hint, file), (Cuts{5000, 10000, 15000, 20000}));
  put(file, 4940, 0xd65f03c0, 4);
  EXPECT_EQ(cuts_in(&Recipe::dedup_hint, file), (Cuts{4944, 9944, 14944, 19944, 20000}));
  put(file, 4940, 0, 4);
  put(file, 4938, 0xd65f03c0, 4);
  EXPECT_EQ(cuts_in(&Recipe::dedup_hint, file), (Cuts{5000, 10000, 15000, 20000}));
  Recipe odd = every_5000_bytes(&Recipe::dedup_hint);
  odd.avg_bytes = 5003;
  EXPECT_EQ(cuts_of(chunk(odd, file, all_at_once())->chunks).front(), 5000U);
}

TEST(Landmarks, R16_4_CutsInTextMoveToTheLastLineBreakBeforeThem) {
  std::string text(20000, 'a');
  text[4500] = text[4900] = text[9000] = '\n';
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, text), (Cuts{4901, 9001, 14001, 19001, 20000}));
  text[4900] = 'a';
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, text).front(), 4501U);
  text[4500] = 'a';
  text[5000 - kReach - 1] = '\n';
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, text).front(), 5000U) << "out of reach";
  text[5000 - kReach] = '\n';
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, text).front(), 4065U);
  text[4095] = '\0';
  EXPECT_EQ(cuts_in(&Recipe::prefer_lines, text).front(), 5000U) << "no text";
}

TEST(Landmarks, R16_4_EveryCutOfRealLinesIsAtTheEndOfOne) {
  const std::string text = made_text(200000, 7);
  for (const auto sizes : {std::array{300U, 1024U, 4001U}, {2000U, 8000U, 30000U}}) {
    Recipe recipe = small_recipe(NarMode::off, sizes[0], sizes[1], sizes[2]);
    recipe.prefer_lines = true;
    std::size_t behind_lines = 0, others = 0;
    for (const std::uint64_t cut : cuts_of(chunk(recipe, text, random_pieces(2))->chunks)) {
      if (cut < 4096 || cut == text.size()) continue;
      ++(text[cut - 1] == '\n' ? behind_lines : others);
    }
    EXPECT_GT(behind_lines, 15U);
    EXPECT_LE(others * 20, behind_lines);  // where min leaves no room to move
  }
}

TEST(Landmarks, R16_5_CutsInSourceCodeMoveToDefinitions) {
  constexpr auto kDefinitions = &Recipe::prefer_definitions;
  for (const std::string_view definition :
       {"\n\nvoid"sv, "\n}\nvoid"sv, "\n});\n_x"sv, "\n\r\nclass"sv, "\n\n@wraps"sv, "\n\n// so"sv,
        "\n\n#if"sv}) {
    std::string text(20000, 'a');
    text.replace(4500, definition.size(), definition);
    text[4800] = '\n';  // a line like any other
    const std::uint64_t begin = 4500 + definition.rfind('\n') + 1;
    EXPECT_EQ(cuts_in(kDefinitions, text).front(), begin) << definition;
    text[begin] = ' ';
    EXPECT_EQ(cuts_in(kDefinitions, text).front(), 5000U) << definition;
  }
  std::string text(20000, 'a');
  text[4800] = '\n';
  EXPECT_EQ(cuts_in(kDefinitions, text).front(), 5000U);
}

TEST(Landmarks, R2_2_BoundsHoldInEveryModeWithEveryLandmark) {
  std::size_t moved = 0;
  for (const Json& row : landmark_vectors().json["folded"]) {
    const Recipe recipe = cut::recipe_of(row);
    Recipe without = recipe;
    without.prefer_sections = without.dedup_hint = without.prefer_definitions =
        without.prefer_lines = false;
    for (const std::string& nar : landmark_vectors().nars) {
      const auto result = chunk(recipe, nar, random_pieces(nar.size()));
      const auto padding = padding_of(nar);
      ASSERT_TRUE(validate_chunks(result->chunks, nar.size()));
      moved += result->chunks != chunk(without, nar, all_at_once())->chunks;
      for (const ChunkExtent& extent : result->chunks) {
        ASSERT_LE(extent.size_bytes, recipe.max_bytes) << row;
        const auto begin = padding.begin() + static_cast<std::ptrdiff_t>(extent.offset_bytes);
        const auto end = begin + static_cast<std::ptrdiff_t>(extent.size_bytes);
        ASSERT_NE(std::find(begin, end, false), end) << row << extent.offset_bytes;
        const bool is_last = extent.offset_bytes + extent.size_bytes == nar.size();
        const bool may_be_small = is_last || recipe.nar_mode != NarMode::off || recipe.header_chunk;
        ASSERT_TRUE(may_be_small || extent.size_bytes >= recipe.min_bytes / 2 * 2) << row;
      }
    }
  }
  EXPECT_GT(moved, 200U);
}

// Headers that say anything at all; what the cuts are matters less than that they are the same however the file
// arrives.
TEST(Landmarks, R2_3_R2_4_MadeUpHeadersNeitherCrashNorMatterBeyondTheirFile) {
  std::mt19937_64 random(1);
  const auto trees = landmark_vectors().json["trees"];
  for (int round = 0; round < 400; ++round) {
    std::string file = contents_of(trees[static_cast<std::size_t>(1 + round % 6)]).substr(0, 30000);
    for (std::uint64_t changes = random() % 40; changes != 0; --changes) {
      const std::size_t at = 4 + random() % (random() % 2 == 0 ? 64 : 400);
      file[at] = static_cast<char>(random() % 3 == 0 ? random() : random() % 2 == 0 ? 0xff : 0);
    }
    Recipe recipe = small_recipe(kModes[round % 3], 300, 1024, 4001);
    recipe.prefer_sections = recipe.dedup_hint = true;
    const auto whole = chunk(recipe, file, all_at_once());
    ASSERT_TRUE(validate_chunks(whole->chunks, file.size()));
    ASSERT_EQ(chunk(recipe, file, random_pieces(random()))->chunks, whole->chunks);
  }
}

}  // namespace
}  // namespace chunker
