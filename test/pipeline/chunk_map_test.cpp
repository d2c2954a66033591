#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chunker/chunking.hpp"
#include "pipeline/chunked_nar.hpp"

namespace chunker {
namespace {

TEST(ChunkMap, R1_5_ChunksAreMappedToTheEntriesWhoseContentsTheyHold) {
  const std::vector<NarEntry> entries = {
      {"", NarEntryType::directory, false, 24, 0},   {"a", NarEntryType::regular, false, 100, 50},
      {"b", NarEntryType::symlink, false, 180, 6},   {"c", NarEntryType::regular, false, 200, 0},
      {"d", NarEntryType::regular, true, 240, 1000}, {"e", NarEntryType::regular, false, 1300, 10}};
  const std::vector<ChunkExtent> chunks = {{0, 100},    {100, 1},    {101, 60},
                                           {161, 50},   {211, 30},   {241, 50},
                                           {291, 1009}, {1300, 100}, {1400, 10}};
  using Range = EntryRange;
  EXPECT_THAT(map_chunks_to_entries(chunks, entries),
              testing::ElementsAre(Range{1, 1}, Range{1, 2}, Range{1, 2}, Range{4, 4}, Range{4, 5},
                                   Range{4, 5}, Range{4, 5}, Range{5, 6}, Range{6, 6}));
  const std::vector<ChunkExtent> whole = {{0, 1410}};
  EXPECT_THAT(map_chunks_to_entries(whole, entries), testing::ElementsAre(Range{1, 6}));
  EXPECT_TRUE(map_chunks_to_entries({}, entries).empty());
}

// The definition: every chunk against every entry.
TEST(ChunkMap, R1_5_TheMapIsRightForEveryModeAndTree) {
  for (const NarMode mode : kModes) {
    for (const std::string& nar : vectors().nars) {
      const auto result = chunk(small_recipe(mode), nar, all_at_once());
      const auto map = map_chunks_to_entries(result->chunks, result->entries);
      ASSERT_EQ(map.size(), result->chunks.size());
      for (std::size_t c = 0; c < map.size(); ++c) {
        const ChunkExtent& extent = result->chunks[c];
        std::vector<std::size_t> held;
        for (std::size_t e = 0; e < result->entries.size(); ++e) {
          const NarEntry& entry = result->entries[e];
          const std::uint64_t begin = std::max(extent.offset_bytes, entry.offset_bytes);
          const std::uint64_t end = std::min(extent.offset_bytes + extent.size_bytes,
                                             entry.offset_bytes + entry.size_bytes);
          if (entry.type == NarEntryType::regular && begin < end) held.push_back(e);
        }
        ASSERT_EQ(map[c].empty(), held.empty());
        if (held.empty()) continue;
        ASSERT_EQ(map[c], (EntryRange{held.front(), held.back() + 1}));
      }
    }
  }
}

TEST(ChunkMap, R1_5_ValidationFindsGapsOverlapsAndShortSums) {
  using Chunks = std::vector<ChunkExtent>;
  EXPECT_TRUE(validate_chunks(Chunks{{0, 5}, {5, 7}}, 12));
  EXPECT_TRUE(validate_chunks(Chunks{}, 0));
  const auto offset_of_fault = [](const Chunks& chunks, std::uint64_t bytes) {
    const auto result = validate_chunks(chunks, bytes);
    return result ? 999 : result.error().offset_bytes;
  };
  EXPECT_EQ(offset_of_fault({{0, 5}, {6, 6}}, 12), 6U);
  EXPECT_EQ(offset_of_fault({{0, 5}, {4, 8}}, 12), 4U);
  EXPECT_EQ(offset_of_fault({{1, 11}}, 12), 1U);
  EXPECT_EQ(offset_of_fault({{0, 5}, {5, 0}, {5, 7}}, 12), 5U);
  EXPECT_EQ(offset_of_fault({{0, 5}, {5, 8}}, 12), 5U);
  EXPECT_EQ(offset_of_fault({{0, 5}, {5, ~0ULL}}, 12), 5U);
  EXPECT_EQ(offset_of_fault({{0, 5}, {5, 6}}, 12), 11U);
  EXPECT_EQ(offset_of_fault({}, 12), 0U);
}

}  // namespace
}  // namespace chunker
