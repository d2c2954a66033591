#include "store/index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/try.hpp"
#include "support/digests.hpp"
#include "support/temporary_directory.hpp"

namespace chunker::store {
namespace {

using test::digest_of;

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

FrameRecord frame_of(std::initializer_list<std::uint64_t> chunks, std::uint64_t payload_bytes) {
  FrameRecord frame{payload_bytes, CodecId::zstd, 0, {}};
  for (const std::uint64_t chunk : chunks) frame.chunks.push_back({digest_of(chunk), 1000 + chunk});
  return frame;
}

ManifestRecord manifest_of(std::uint64_t nar, std::uint64_t payload_bytes = 50) {
  return {payload_bytes, digest_of(nar), 10 * nar, nar};
}

NameRecord name_of(std::string_view name, std::uint64_t nar) {
  return {std::string(name), digest_of(nar), 1'700'000'000 + nar};
}

class IndexTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }

  void reopen(Index::Access access = Index::Access::write) {
    index_.reset();
    auto opened = Index::open(path(), access);
    ASSERT_TRUE(opened) << describe(opened.error());
    index_ = *std::move(opened);
  }
  std::filesystem::path path() const { return directory_.path() / "index"; }

  void add(std::string_view key, std::uint64_t sequence, std::vector<PackRecord> records) {
    const auto added = index_->add_pack(key, 5000 + sequence, {sequence, std::move(records)});
    ASSERT_TRUE(added) << describe(added.error());
  }

  template <class T>
  static T value(Result<T> result) {
    EXPECT_TRUE(result) << describe(result.error());
    return result ? *std::move(result) : T{};
  }
  std::optional<ChunkLocation> chunk(std::uint64_t n) const {
    return value(index_->chunk(digest_of(n)));
  }
  bool has_manifest(std::uint64_t n) const {
    return value(index_->manifest(digest_of(n))).has_value();
  }
  std::optional<std::uint64_t> meaning(std::string_view name, std::uint64_t nars = 20) const {
    const auto record = value(index_->name(name));
    for (std::uint64_t n = 0; record && n < nars; ++n) {
      if (record->nar_sha256 == digest_of(n)) return n;
    }
    return std::nullopt;
  }
  std::vector<std::string> names_of(std::uint64_t nar) const {
    return value(index_->names_of(digest_of(nar)));
  }
  std::vector<std::string> all_names() const {
    std::vector<std::string> names;
    EXPECT_TRUE(index_->for_each_name([&](const NameRecord& record) -> Result<void> {
      names.push_back(record.name);
      return {};
    }));
    return names;
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Index> index_;
};

TEST_F(IndexTest, ANewIndexKnowsNothing) {
  EXPECT_EQ(chunk(1), std::nullopt);
  EXPECT_FALSE(has_manifest(1));
  EXPECT_EQ(value(index_->name("a")), std::nullopt);
  EXPECT_EQ(value(index_->pack("packs/a")), std::nullopt);
  EXPECT_EQ(value(index_->pack_key(0)), std::nullopt);
  EXPECT_EQ(value(index_->highest_sequence()), 0U);
  EXPECT_THAT(all_names(), IsEmpty());
  EXPECT_THAT(value(index_->chunks({})), IsEmpty());
}

TEST_F(IndexTest, ChunksAreLocatedInTheirFrames) {
  add("packs/a", 1, {frame_of({1, 2}, 300), manifest_of(3, 40), frame_of({4}, 500)});
  const PackNumber pack = value(index_->pack("packs/a"))->number;
  EXPECT_EQ(chunk(1), (ChunkLocation{pack, 8, 300, CodecId::zstd, 0, 2003, 0, 1001}));
  EXPECT_EQ(chunk(2), (ChunkLocation{pack, 8, 300, CodecId::zstd, 0, 2003, 1001, 1002}));
  EXPECT_EQ(chunk(4), (ChunkLocation{pack, 348, 500, CodecId::zstd, 0, 1004, 0, 1004}));
  EXPECT_EQ(value(index_->manifest(digest_of(3))), (ManifestLocation{pack, 308, 40, 30, 3}));
  EXPECT_TRUE(chunk(1)->same_frame(*chunk(2)));
  EXPECT_FALSE(chunk(1)->same_frame(*chunk(4)));
}

TEST_F(IndexTest, TheLargestNumbersSurvive) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  FrameRecord frame{kMax - 8, static_cast<CodecId>(0xFFFF), kMax, {}};
  frame.chunks = {{digest_of(1), kMax - 1}, {digest_of(2), 1}};
  add("packs/a", kSequenceMax, {frame});
  const PackNumber pack = value(index_->pack("packs/a"))->number;
  EXPECT_EQ(chunk(1), (ChunkLocation{pack, 8, kMax - 8, frame.codec, kMax, kMax, 0, kMax - 1}));
  EXPECT_EQ(chunk(2), (ChunkLocation{pack, 8, kMax - 8, frame.codec, kMax, kMax, kMax - 1, 1}));
  EXPECT_EQ(value(index_->highest_sequence()), kSequenceMax);
}

TEST_F(IndexTest, ManyChunksAreLookedUpAtOnce) {
  FrameRecord frame = frame_of({}, 10);
  for (std::uint64_t n = 0; n < 1000; ++n) frame.chunks.push_back({digest_of(n), n});
  add("packs/a", 1, {frame});
  std::vector<Digest> asked;
  for (std::uint64_t n = 0; n < 2000; ++n) asked.push_back(digest_of(1999 - n));
  const auto found = value(index_->chunks(asked));
  ASSERT_EQ(found.size(), asked.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].has_value(), 1999 - i < 1000) << i;
    if (found[i]) {
      EXPECT_EQ(found[i]->chunk_bytes, 1999 - i);
    }
  }
}

TEST_F(IndexTest, FeaturesFindWhatIsAlike) {
  add("packs/a", 1, {frame_of({1, 2, 3}, 300)});
  const auto features = [](std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return delta::Features{{a << 16, b << 16, c << 16, d << 16}};
  };
  const std::vector<ChunkFeatures> noted{{digest_of(1), features(1, 2, 3, 4)},
                                         {digest_of(2), features(5, 6, 7, 8)},
                                         {digest_of(9), features(10, 11, 12, 13)}};
  ASSERT_TRUE(index_->note_features(noted));
  const auto like = [&](const delta::Features& wanted, std::size_t count_max = 9) {
    const std::vector<ChunkFeatures> asked{{digest_of(0), wanted}};
    return value(index_->similar_chunks(asked, count_max));
  };
  EXPECT_THAT(like(features(1, 20, 21, 22)), ElementsAre(digest_of(1)));
  EXPECT_THAT(like(features(1, 6, 7, 22)), ElementsAre(digest_of(2), digest_of(1)))
      << "the more they agree the better";
  EXPECT_THAT(like(features(1, 6, 7, 22), 1), ElementsAre(digest_of(2)));
  EXPECT_THAT(like(features(20, 21, 22, 23)), IsEmpty());
  EXPECT_THAT(like(features(10, 11, 12, 13)), IsEmpty()) << "not stored, perhaps not yet";
  add("packs/b", 2, {frame_of({9}, 300)});
  EXPECT_THAT(like(features(10, 11, 12, 13)), ElementsAre(digest_of(9)));
}

TEST_F(IndexTest, FeaturesOfGoneChunksAreForgotten) {
  add("packs/a", 1, {frame_of({1, 2}, 300)});
  const std::vector<ChunkFeatures> noted{
      {digest_of(1), delta::Features{{1UL << 60, 2UL << 60, 3UL << 60, 4UL << 60}}},
      {digest_of(2), delta::Features{{5UL << 60, 6UL << 60, 7UL << 60, 8UL << 60}}}};
  ASSERT_TRUE(index_->note_features(noted));
  const std::vector<Digest> gone{digest_of(1)};
  ASSERT_TRUE(index_->forget_chunks(gone));
  ASSERT_TRUE(index_->forget_stale_features());
  add("packs/b", 2, {frame_of({1}, 300)});
  const auto like = [&](std::size_t i) {
    return value(index_->similar_chunks(std::span(noted).subspan(i, 1), 9));
  };
  EXPECT_THAT(like(0), IsEmpty()) << "what it was like is not known any more";
  EXPECT_THAT(like(1), ElementsAre(digest_of(2)));
}

TEST_F(IndexTest, PacksHaveNumbersAndKeys) {
  add("packs/a", 1, {});
  add("packs/b", 7, {});
  add("packs/c", 3, {});
  EXPECT_EQ(value(index_->highest_sequence()), 7U);
  std::vector<PackEntry> packs;
  ASSERT_TRUE(index_->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    packs.push_back(pack);
    return {};
  }));
  ASSERT_EQ(packs.size(), 3U);
  EXPECT_EQ(packs[1], (PackEntry{"packs/b", packs[1].number, 7, 5007}));
  for (const PackEntry& pack : packs) {
    EXPECT_EQ(value(index_->pack(pack.key)), pack);
    EXPECT_EQ(value(index_->pack_key(pack.number)), pack.key);
  }
}

TEST_F(IndexTest, ANumberIsNeverUsedAgain) {
  add("packs/a", 1, {frame_of({1}, 10)});
  const PackNumber first = value(index_->pack("packs/a"))->number;
  ASSERT_TRUE(index_->forget_pack("packs/a", {1, {frame_of({1}, 10)}}));
  reopen();
  add("packs/b", 2, {});
  EXPECT_NE(value(index_->pack("packs/b"))->number, first);
  EXPECT_EQ(value(index_->pack_key(first)), std::nullopt);
  EXPECT_EQ(value(index_->highest_sequence()), 2U);
}

TEST_F(IndexTest, APackAddedTwiceKeepsItsNumber) {
  add("packs/a", 1, {frame_of({1}, 10)});
  const auto before = chunk(1);
  add("packs/a", 1, {frame_of({1}, 10)});
  EXPECT_EQ(chunk(1), before);
}

TEST_F(IndexTest, TheNewestPackWins) {
  add("packs/a", 1, {frame_of({1}, 10), manifest_of(5)});
  add("packs/b", 2, {frame_of({9}, 20), frame_of({1}, 30), manifest_of(5)});
  const PackNumber newest = value(index_->pack("packs/b"))->number;
  EXPECT_EQ(chunk(1)->pack, newest);
  EXPECT_EQ(chunk(1)->payload_offset, 28U);
  EXPECT_EQ(value(index_->manifest(digest_of(5)))->pack, newest);
}

TEST_F(IndexTest, NamesMeanTheLastNarThatTookThem) {
  add("packs/a", 1, {manifest_of(1), name_of("x.nar", 1), name_of("y.nar", 1)});
  EXPECT_EQ(value(index_->name("x.nar")), name_of("x.nar", 1));
  EXPECT_THAT(names_of(1), ElementsAre("x.nar", "y.nar"));
  add("packs/b", 2, {manifest_of(2), name_of("x.nar", 2)});
  EXPECT_EQ(meaning("x.nar"), 2U);
  EXPECT_EQ(meaning("y.nar"), 1U);
  EXPECT_THAT(names_of(1), ElementsAre("y.nar"));
  EXPECT_THAT(names_of(2), ElementsAre("x.nar"));
  EXPECT_THAT(all_names(), ElementsAre("x.nar", "y.nar"));
  EXPECT_TRUE(has_manifest(1));
}

TEST_F(IndexTest, AManifestLeavesWithItsLastName) {
  add("packs/a", 1,
      {manifest_of(1), name_of("x", 1), name_of("y", 1), manifest_of(2), name_of("z", 2)});
  add("packs/b", 2, {RemovalRecord{"x"}});
  EXPECT_EQ(meaning("x"), std::nullopt);
  EXPECT_TRUE(has_manifest(1));
  add("packs/c", 3, {RemovalRecord{"y"}});
  EXPECT_FALSE(has_manifest(1));
  EXPECT_THAT(names_of(1), IsEmpty());
  EXPECT_TRUE(has_manifest(2));
  add("packs/d", 4, {name_of("z", 5)});
  EXPECT_FALSE(has_manifest(2));
  EXPECT_THAT(all_names(), ElementsAre("z"));
}

TEST_F(IndexTest, ANamelessManifestWaitsForItsName) {
  add("packs/a", 1, {manifest_of(1)});
  EXPECT_TRUE(has_manifest(1));
  add("packs/b", 2, {name_of("x", 1)});
  EXPECT_TRUE(has_manifest(1));
  // The last name goes, and the same pack brings the manifest anew for a name in the next one.
  add("packs/c", 3, {RemovalRecord{"x"}, manifest_of(1)});
  EXPECT_TRUE(has_manifest(1));
  EXPECT_EQ(value(index_->manifest(digest_of(1)))->pack, value(index_->pack("packs/c"))->number);
}

TEST_F(IndexTest, RecordsOfOnePackSeeEachOther) {
  add("packs/a", 1,
      {manifest_of(1), name_of("x", 1), name_of("y", 1), RemovalRecord{"x"}, manifest_of(2),
       name_of("z", 2), RemovalRecord{"z"}, manifest_of(3), name_of("v", 3), name_of("v", 4),
       name_of("v", 3), RemovalRecord{"never there"}});
  EXPECT_THAT(all_names(), ElementsAre("v", "y"));
  EXPECT_EQ(meaning("v"), 3U);
  EXPECT_TRUE(has_manifest(1));
  EXPECT_FALSE(has_manifest(2));
  EXPECT_TRUE(has_manifest(3));
  EXPECT_THAT(names_of(3), ElementsAre("v"));
  EXPECT_THAT(names_of(4), IsEmpty());
}

TEST_F(IndexTest, RenamingKeepsTheManifest) {
  add("packs/a", 1, {manifest_of(1), name_of("old", 1)});
  add("packs/b", 2, {RemovalRecord{"old"}, name_of("new", 1)});
  EXPECT_TRUE(has_manifest(1));
  EXPECT_THAT(all_names(), ElementsAre("new"));
  EXPECT_THAT(names_of(1), ElementsAre("new"));
}

TEST_F(IndexTest, NamingAgainKeepsTheManifest) {
  add("packs/a", 1, {manifest_of(1), name_of("x", 1)});
  add("packs/b", 2, {name_of("x", 1)});
  EXPECT_TRUE(has_manifest(1));
  EXPECT_THAT(names_of(1), ElementsAre("x"));
}

TEST_F(IndexTest, NamesOfOneNarAreNotThoseOfTheNext) {
  Digest first, next;
  first.bytes.back() =
      std::byte{0xFF};  // The last key of `first` is just before the first of `next`.
  next.bytes[30] = std::byte{1};
  add("packs/a", 1, {NameRecord{"\xFF\xFF", first, 1}, NameRecord{"a", next, 1}});
  EXPECT_THAT(value(index_->names_of(first)), ElementsAre("\xFF\xFF"));
  EXPECT_THAT(value(index_->names_of(next)), ElementsAre("a"));
  Digest all_ones;
  all_ones.bytes.fill(std::byte{0xFF});
  add("packs/b", 2, {NameRecord{"b", all_ones, 1}});
  EXPECT_THAT(value(index_->names_of(all_ones)), ElementsAre("b"));
}

TEST_F(IndexTest, ForgettingAPackForgetsWhatIsOnlyThere) {
  const PackDirectory first{
      1, {frame_of({1, 2}, 10), manifest_of(5), name_of("x", 5), manifest_of(6)}};
  add("packs/a", 1, first.records);
  add("packs/b", 2, {frame_of({2, 3}, 20), manifest_of(6)});
  ASSERT_TRUE(index_->forget_pack("packs/a", first));
  EXPECT_EQ(chunk(1), std::nullopt);
  EXPECT_TRUE(chunk(2));
  EXPECT_TRUE(chunk(3));
  EXPECT_FALSE(has_manifest(5));
  EXPECT_TRUE(has_manifest(6));
  EXPECT_EQ(meaning("x"), 5U);
  EXPECT_EQ(value(index_->pack("packs/a")), std::nullopt);
  EXPECT_TRUE(index_->forget_pack("packs/a", first));
}

TEST_F(IndexTest, LostPacksAreForgottenTogether) {
  add("packs/a", 1, {frame_of({1, 2}, 10), manifest_of(5), name_of("x", 5)});
  add("packs/b", 2, {frame_of({2, 3}, 20), manifest_of(6)});
  add("packs/c", 3, {frame_of({4}, 20), manifest_of(7)});
  const std::vector<std::string> lost = {"packs/a", "packs/c", "packs/never-there"};
  ASSERT_TRUE(index_->forget_lost_packs(lost));
  EXPECT_EQ(chunk(1), std::nullopt);
  EXPECT_TRUE(chunk(2));
  EXPECT_TRUE(chunk(3));
  EXPECT_EQ(chunk(4), std::nullopt);
  EXPECT_FALSE(has_manifest(5));
  EXPECT_TRUE(has_manifest(6));
  EXPECT_FALSE(has_manifest(7));
  EXPECT_EQ(meaning("x"), 5U);
  EXPECT_EQ(value(index_->pack("packs/a")), std::nullopt);
  EXPECT_TRUE(value(index_->pack("packs/b")));
  ASSERT_TRUE(index_->forget_lost_pack("packs/b"));
  EXPECT_EQ(chunk(2), std::nullopt);
}

TEST_F(IndexTest, PrefixesFindManifests) {
  Digest a, b, c;
  a.bytes[0] = b.bytes[0] = std::byte{0x12};
  a.bytes[1] = std::byte{0x34};
  b.bytes[1] = std::byte{0x35};
  c.bytes[0] = std::byte{0x13};
  add("packs/a", 1,
      {ManifestRecord{1, a, 1, 1}, ManifestRecord{1, b, 1, 1}, ManifestRecord{1, c, 1, 1}});
  const auto find = [&](std::string_view hex, std::size_t max = 10) {
    return value(index_->manifests_with_prefix(hex, max));
  };
  EXPECT_THAT(find("12"), ElementsAre(a, b));
  EXPECT_THAT(find("1"), ElementsAre(a, b, c));
  EXPECT_THAT(find(""), ElementsAre(a, b, c));
  EXPECT_THAT(find("", 2), ElementsAre(a, b));
  EXPECT_THAT(find("12", 0), IsEmpty());
  EXPECT_THAT(find("123"), ElementsAre(a, b));
  EXPECT_THAT(find("1235"), ElementsAre(b));
  EXPECT_THAT(find(b.hex()), ElementsAre(b));
  EXPECT_THAT(find(b.hex() + "0"), IsEmpty());
  EXPECT_THAT(find("ff"), IsEmpty());
  EXPECT_THAT(find("xy"), IsEmpty());
}

TEST_F(IndexTest, PrefixesMayBeInUpperCase) {
  Digest digest;
  digest.bytes[0] = std::byte{0xAB};
  add("packs/a", 1, {ManifestRecord{1, digest, 1, 1}});
  EXPECT_THAT(value(index_->manifests_with_prefix("AB", 10)), ElementsAre(digest));
}

TEST_F(IndexTest, VisitorsSeeEverythingInOrder) {
  add("packs/a", 1, {frame_of({1, 2, 3}, 10), manifest_of(5), manifest_of(6)});
  std::vector<Digest> chunks;
  ASSERT_TRUE(index_->for_each_chunk([&](const auto& entry) -> Result<void> {
    chunks.push_back(entry.first);
    EXPECT_EQ(value(index_->chunk(entry.first)), entry.second);
    return {};
  }));
  EXPECT_THAT(chunks, UnorderedElementsAre(digest_of(1), digest_of(2), digest_of(3)));
  EXPECT_TRUE(std::ranges::is_sorted(chunks));
  std::vector<Digest> manifests;
  ASSERT_TRUE(index_->for_each_manifest([&](const auto& entry) -> Result<void> {
    manifests.push_back(entry.first);
    return {};
  }));
  EXPECT_THAT(manifests, UnorderedElementsAre(digest_of(5), digest_of(6)));
}

TEST_F(IndexTest, AVisitorStopsWithItsError) {
  add("packs/a", 1, {frame_of({1, 2, 3}, 10)});
  int seen = 0;
  const auto stopped = index_->for_each_chunk([&](const auto&) -> Result<void> {
    ++seen;
    return base::fail(ErrorCode::cancelled, "enough");
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
  EXPECT_EQ(seen, 1);
}

TEST_F(IndexTest, EverythingSurvivesReopening) {
  add("packs/a", 1, {frame_of({1}, 10), manifest_of(5), name_of("x", 5)});
  const auto before = chunk(1);
  for (const auto access : {Index::Access::write, Index::Access::read}) {
    reopen(access);
    EXPECT_EQ(chunk(1), before);
    EXPECT_TRUE(has_manifest(5));
    EXPECT_EQ(meaning("x"), 5U);
    EXPECT_EQ(value(index_->highest_sequence()), 1U);
  }
}

TEST_F(IndexTest, ASecondWriterIsRefused) {
  const auto second = Index::open(path(), Index::Access::write);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::store_locked);
}

TEST_F(IndexTest, AReaderCannotWrite) {
  reopen(Index::Access::read);
  EXPECT_EQ(index_->add_pack("packs/a", 1, {1, {}}).error().code, ErrorCode::invalid_argument);
}

TEST_F(IndexTest, AnAbsentIndexIsNotFound) {
  for (const char* name : {"nowhere", "empty"}) {
    if (name == std::string_view("empty"))
      std::filesystem::create_directory(directory_.path() / name);
    const auto opened = Index::open(directory_.path() / name, Index::Access::read);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::store_not_found);
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "nowhere"));
}

}  // namespace
}  // namespace chunker::store
