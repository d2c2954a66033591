#include <gmock/gmock.h>

#include "codec/delta_frame.hpp"
#include "pipeline/delta_encoder.hpp"
#include "pipeline/older_version.hpp"
#include "pipeline/store_fixture.hpp"
#include "store/blob_failing.hpp"
#include "store/pack.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"

namespace chunker {
namespace {

using test::random_bytes;
using test::random_text;

/// A package's file in some version: every version changes one byte of each 4 KiB.
std::string file_of_version(unsigned version, std::size_t size = 300'000) {
  std::string file = random_bytes(7, size);
  for (std::size_t at = version; at < size; at += 4096) file[at] = static_cast<char>(version);
  return file;
}

std::string nar_of_version(unsigned version) {
  return test::make_nar({{"bin", file_of_version(version)},
                         {"lib-1." + std::to_string(version), random_text(3, 50'000)},
                         {"new-" + std::to_string(version), random_bytes(version, 3'000)}});
}

std::string name_of_version(unsigned version) {
  return "tool-1." + std::to_string(version) + ".nar";
}

class Deltas : public test::StoreFixture {
 protected:
  Result<void> take_in_version(Store& store, unsigned version,
                               IngestOptions options = test::small_chunks()) {
    return take_in(store, {{name_of_version(version), nar_of_version(version)}}, options);
  }
  const IngestedNar& reported(unsigned version) { return *reported_.at(name_of_version(version)); }

  /// Takes NARs in that are a single plain chunk each; those chunks.
  std::vector<ChunkReference> take_in_whole(Store& store,
                                            const std::map<std::string, std::string>& nars) {
    IngestOptions options;
    options.deltas = false;
    EXPECT_OK(take_in(store, nars, options));
    std::vector<ChunkReference> chunks;
    for (const auto& [name, nar] : nars) {
      const auto manifest = store.manifest(reported_.at(name)->nar_sha256);
      EXPECT_OK(manifest);
      EXPECT_EQ(manifest->chunks.size(), 1U) << name;
      chunks.push_back(manifest->chunks.at(0));
    }
    return chunks;
  }

  /// Every delta frame of the store, and whether each chunk of its base lies in a plain frame.
  static std::size_t count_deltas_and_check_depth(const Store& store) {
    std::size_t count = 0;
    auto& parts = store.parts();
    const auto visited =
        parts.index->for_each_pack([&](const store::PackEntry& pack) -> Result<void> {
          const auto directory =
              store::read_pack_directory(*parts.blobs, pack.key, pack.blob_bytes);
          EXPECT_OK(directory);
          for (const auto& record : directory->records) {
            const auto* frame = std::get_if<store::FrameRecord>(&record);
            if (frame == nullptr || frame->base.empty()) continue;
            ++count;
            for (const Digest& digest : frame->base) {
              const auto location = parts.locate(digest);
              EXPECT_OK(location);
              EXPECT_EQ(location.value_or(store::ChunkLocation{}).flags, 0U) << "a base is a delta";
            }
          }
          return {};
        });
    EXPECT_OK(visited);
    return count;
  }
};

TEST_F(Deltas, ANewVersionIsStoredAsWhatDiffers) {
  for (const StoreLayout layout : {StoreLayout::packs, StoreLayout::objects}) {
    options_.layout = layout;
    auto store = Store::open(directory_.path() / name(layout), [&] {
      auto options = options_;
      options.access = StoreAccess::write;
      options.create = true;
      return options;
    }());
    ASSERT_OK(store);
    for (unsigned version = 0; version < 4; ++version) {
      ASSERT_OK(take_in_version(*store, version));
      ASSERT_OK(reported_.at(name_of_version(version)));
      EXPECT_EQ(give_back(*store, name_of_version(version)).value_or(""), nar_of_version(version));
    }
    EXPECT_GT(reported(3).delta_raw_bytes, 290'000U);
    EXPECT_LT(reported(3).delta_stored_bytes, 30'000U);
    EXPECT_GE(count_deltas_and_check_depth(*store), 3U);
    expect_clean(*store);
  }
}

TEST_F(Deltas, OffByOption) {
  auto store = open();
  ASSERT_OK(store);
  auto options = test::small_chunks();
  options.deltas = false;
  ASSERT_OK(take_in_version(*store, 0, options));
  ASSERT_OK(take_in_version(*store, 1, options));
  EXPECT_EQ(reported(1).delta_raw_bytes, 0U);
  EXPECT_EQ(count_deltas_and_check_depth(*store), 0U);
}

TEST_F(Deltas, VersionsOfOneCallAreBasesOfEachOtherOnAnyNumberOfThreads) {
  std::map<std::string, std::string> nars;
  for (unsigned version = 0; version < 6; ++version) {
    nars[name_of_version(version)] = nar_of_version(version);
  }
  for (const unsigned threads : {1U, 2U, 7U}) {
    auto store = Store::open(directory_.path() / std::to_string(threads),
                             {.access = StoreAccess::write, .create = true});
    ASSERT_OK(store);
    auto options = test::small_chunks();
    options.threads = threads;
    ASSERT_OK(take_in(*store, nars, options));
    for (unsigned version = 1; version < 6; ++version) {
      EXPECT_GT(reported(version).delta_raw_bytes, 0U) << version << " on " << threads;
    }
    for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
    EXPECT_GE(count_deltas_and_check_depth(*store), 5U);
    expect_clean(*store);
  }
}

TEST_F(Deltas, WhatDoesNotResembleItsBaseIsStoredByItself) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(
      take_in(*store, {{"tool-1.0.nar", test::make_nar({{"bin", random_text(1, 300'000)}})}}));
  const auto other = test::make_nar({{"bin", random_bytes(2, 300'000)}});
  ASSERT_OK(take_in(*store, {{"tool-1.1.nar", other}}));
  EXPECT_LT(reported_.at("tool-1.1.nar")->delta_raw_bytes, 10'000U);
  EXPECT_EQ(give_back(*store, "tool-1.1.nar").value_or(""), other);
}

// Neither the name nor the path say so: the bytes do.
TEST_F(Deltas, WhatResemblesSomethingElsewhereIsADeltaOfThat) {
  auto store = open();
  ASSERT_OK(store);
  const auto old_nar = test::make_nar({{"tool", file_of_version(1, 900'000)}});
  const auto new_nar = test::make_nar({{"other.so", file_of_version(2, 900'000)}});
  ASSERT_OK(take_in(*store, {{"tool-1.0.nar", old_nar}}, {}));
  EXPECT_EQ(reported_.at("tool-1.0.nar")->delta_raw_bytes, 0U);
  ASSERT_OK(take_in(*store, {{"unrelated-7.nar", new_nar}}, {}));
  EXPECT_GT(reported_.at("unrelated-7.nar")->delta_raw_bytes, 800'000U);
  EXPECT_LT(reported_.at("unrelated-7.nar")->new_stored_bytes, 50'000U);
  EXPECT_GT(count_deltas_and_check_depth(*store), 0U);
  EXPECT_EQ(give_back(*store, "unrelated-7.nar").value_or(""), new_nar);
  expect_clean(*store);
}

// Two chunks have half each of what a third one has, and too little to be worth decoding.
TEST_F(Deltas, WhatIsLeftOutOfABaseTakesNothingFromTheNextChunk) {
  auto store = open();
  ASSERT_OK(store);
  const std::string shared = random_bytes(1, 4096), content = shared + random_bytes(2, 13'000);
  const auto chunks = take_in_whole(
      *store, {{"1.nar", test::make_nar({{"f", shared.substr(0, 2048) + random_bytes(3, 60'000)}})},
               {"2.nar", test::make_nar({{"f", shared.substr(2048) + random_bytes(4, 60'000)}})},
               {"3.nar", test::make_nar({{"f", shared}})}});
  const std::vector<Digest> suggested{chunks[0].digest, chunks[1].digest, chunks[2].digest};
  const std::vector<ChunkReference> itself{{store->hash().hash(bytes_of(content)), content.size()}};
  pipeline::DeltaEncoder encoder(store->parts());
  const auto delta = encoder.encode(bytes_of(content), itself, suggested);
  ASSERT_OK(delta);
  ASSERT_TRUE(*delta);
  EXPECT_EQ((*delta)->base, std::vector<Digest>{chunks[2].digest});
  EXPECT_LT((*delta)->payload.bytes().size(), 13'200U);
}

/// Each of two chunks as a delta of the other: no writer of ours makes that.
class DeltaCircle : public Deltas {
 protected:
  void make_circle() {
    auto store = open();
    ASSERT_OK(store);
    const auto chunks = take_in_whole(*store, nars_);
    auto& parts = store->parts();
    auto pack = store::PackWriter::begin(parts);
    ASSERT_OK(pack);
    const std::string contents[] = {nars_.at("a.nar"), nars_.at("b.nar")};
    for (const std::size_t i : {0U, 1U}) {
      CompressionScratch scratch;
      ByteBuffer payload;
      ASSERT_OK(codec::compress_with_base(bytes_of(contents[i]), bytes_of(contents[1 - i]),
                                          codec::kDeltaLevel, scratch, payload));
      ASSERT_OK(pack->add_frame({.payload_bytes = payload.size(),
                                 .codec = CodecId::zstd,
                                 .flags = store::kDeltaFrame,
                                 .chunks = {chunks[i]},
                                 .base = {chunks[1 - i].digest}},
                                payload));
    }
    ASSERT_OK(pack->commit(parts.index->highest_sequence().value() + 1));
  }

  const std::map<std::string, std::string> nars_{
      {"a.nar", test::make_nar({{"f", random_text(1, 20'000)}})},
      {"b.nar", test::make_nar({{"f", random_text(2, 20'000)}})}};
};

TEST_F(DeltaCircle, IsAClearErrorOfWhoReads) {
  make_circle();
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  for (const auto& [name, nar] : nars_) {
    const auto restored = give_back(*store, name);
    ASSERT_FALSE(restored) << name;
    EXPECT_EQ(restored.error().code, ErrorCode::store_corrupt);
    EXPECT_EQ(restored.error().what, "deltas need deltas without end");
  }
}

TEST_F(DeltaCircle, IsToldByVerifyWhichNamesBothNars) {
  make_circle();
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  std::vector<std::string> problems;
  const auto report = verify(*store, {.content = true},
                             [&](const Error& error) { problems.push_back(describe(error)); });
  ASSERT_OK(report);
  EXPECT_EQ(report->nars_damaged, 2U);
  using testing::Contains, testing::HasSubstr;
  EXPECT_THAT(problems, Contains(HasSubstr("deltas need deltas without end")).Times(2));
  EXPECT_THAT(problems, Contains(HasSubstr("a.nar")));
  EXPECT_THAT(problems, Contains(HasSubstr("b.nar")));
}

TEST_F(DeltaCircle, EndsTheRebuildingOfAnIndexToo) {
  make_circle();
  std::vector<std::string> problems;
  const auto rebuilt = rebuild_index(directory_.path() / "store", [&](const Error& error) {
    problems.push_back(describe(error));
  });
  ASSERT_OK(rebuilt);
  EXPECT_EQ(rebuilt->nars_damaged, 2U);
  EXPECT_EQ(problems.size(), 2U);
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, nars_));
  for (const auto& [name, nar] : nars_) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
}

// The base's NAR is gone; what others need of it stays, through as many collections as one likes.
TEST_F(Deltas, GcKeepsTheBasesThatAreNeeded) {
  auto store = open();
  ASSERT_OK(store);
  for (unsigned version = 0; version < 3; ++version) ASSERT_OK(take_in_version(*store, version));
  const std::vector<std::string> names{name_of_version(0)};
  ASSERT_OK(store->remove(names));
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(collect_garbage(*store, {.garbage_min = 0}));
    for (const unsigned version : {1U, 2U}) {
      EXPECT_EQ(give_back(*store, name_of_version(version)).value_or(""), nar_of_version(version));
    }
    expect_clean(*store);
  }
  EXPECT_GT(count_deltas_and_check_depth(*store), 0U) << "deltas survive their rewriting";
  ASSERT_OK(store->remove(std::vector<std::string>{name_of_version(1), name_of_version(2)}));
  ASSERT_OK(collect_garbage(*store, {.garbage_min = 0}));
  EXPECT_EQ(store->stats()->unique_chunks, 0U) << "bases go with the last delta that needs them";
}

// The delta's pack has too little garbage to go, its base's pack goes: it must be stored anew when it comes again.
TEST_F(Deltas, GcForgetsGarbageThatLosesItsBase) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in_version(*store, 0));
  const auto large = test::make_nar({{"large", random_bytes(9, 3'000'000)}});
  ASSERT_OK(take_in(*store, {{name_of_version(1), nar_of_version(1)}, {"large.nar", large}}));
  ASSERT_OK(store->remove(std::vector<std::string>{name_of_version(0), name_of_version(1)}));
  const auto collected = collect_garbage(*store, {});
  ASSERT_OK(collected);
  EXPECT_EQ(collected->packs_removed, 1U);
  expect_clean(*store);
  ASSERT_OK(take_in_version(*store, 1));
  EXPECT_EQ(give_back(*store, name_of_version(1)).value_or(""), nar_of_version(1));
  EXPECT_EQ(give_back(*store, "large.nar").value_or(""), large);
}

// Both packs go, and a crash comes between them: what is left of the delta must be stored anew, too.
TEST_F(Deltas, GcThatIsCutOffLeavesNoneWithoutItsBase) {
  {
    auto store = open();
    ASSERT_OK(store);
    for (const unsigned version : {0U, 1U}) ASSERT_OK(take_in_version(*store, version));
    ASSERT_OK(store->remove(std::vector<std::string>{name_of_version(0), name_of_version(1)}));
    auto& blobs = store->parts().blobs;
    blobs = std::make_unique<store::FailingBlobStore>(
        std::move(blobs), store::fault_at(store::BlobOperation::remove, 2));
    ASSERT_FALSE(collect_garbage(*store, {.garbage_min = 0}));
  }
  auto store = open();
  ASSERT_OK(store);
  expect_clean(*store);
  ASSERT_OK(take_in_version(*store, 1));
  EXPECT_EQ(give_back(*store, name_of_version(1)).value_or(""), nar_of_version(1));
}

TEST_F(Deltas, GcCopiesThemAsTheyAre) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in_version(*store, 0));
  ASSERT_OK(take_in(*store, {{name_of_version(1), nar_of_version(1)},
                             {"junk.nar", test::make_nar({{"junk", random_bytes(9, 500'000)}})}}));
  const auto before = count_deltas_and_check_depth(*store);
  ASSERT_OK(store->remove(std::vector<std::string>{"junk.nar"}));
  const auto collected = collect_garbage(*store, {});
  ASSERT_OK(collected);
  EXPECT_GT(collected->bytes_before, collected->bytes_after + 490'000);
  EXPECT_EQ(count_deltas_and_check_depth(*store), before);
  EXPECT_EQ(give_back(*store, name_of_version(1)).value_or(""), nar_of_version(1));
}

TEST_F(Deltas, ANewIndexFindsTheBases) {
  {
    auto store = open();
    ASSERT_OK(store);
    for (unsigned version = 0; version < 3; ++version) ASSERT_OK(take_in_version(*store, version));
  }
  ASSERT_OK(rebuild_index(directory_.path() / "store", {}));
  auto store = open();
  ASSERT_OK(store);
  for (unsigned version = 0; version < 3; ++version) {
    EXPECT_EQ(give_back(*store, name_of_version(version)).value_or(""), nar_of_version(version));
  }
  ASSERT_OK(take_in_version(*store, 3));
  EXPECT_GT(reported(3).delta_raw_bytes, 200'000U) << "which version is the newest is known again";
}

/// One pack per NAR, version 1 a delta of version 0; then the pack of version 0 is gone.
class LostBase : public Deltas {
 protected:
  void SetUp() override {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in_version(*store, 0));
    const auto before = packs();
    ASSERT_EQ(before.size(), 1U);
    ASSERT_OK(take_in_version(*store, 1));
    ASSERT_GT(count_deltas_and_check_depth(*store), 0U);
    base_pack_ = before.front();
  }
  std::filesystem::path base_pack_;
};

TEST_F(LostBase, IsToldByVerifyAndHealedByIngestingBoth) {
  std::filesystem::remove(base_pack_);
  {
    const auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    std::vector<std::string> problems;
    const auto report =
        verify(*store, {}, [&](const Error& error) { problems.push_back(describe(error)); });
    ASSERT_OK(report);
    EXPECT_EQ(report->nars_damaged, 2U) << "the delta's NAR is damaged, too";
    const auto restored = give_back(*store, name_of_version(1));
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::store_chunk_missing);
  }
  // Version 0 is not at hand any more: version 1 alone must heal itself.
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in_version(*store, 1));
  ASSERT_OK(reported_.at(name_of_version(1)));
  EXPECT_EQ(give_back(*store, name_of_version(1)).value_or(""), nar_of_version(1));
}

TEST_F(LostBase, IsMissedByANewIndexToo) {
  std::filesystem::remove(base_pack_);
  const auto rebuilt = rebuild_index(directory_.path() / "store", {});
  ASSERT_OK(rebuilt);
  EXPECT_EQ(rebuilt->nars_damaged, 2U);
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in_version(*store, 1));
  EXPECT_EQ(give_back(*store, name_of_version(1)).value_or(""), nar_of_version(1));
}

void damage(const std::filesystem::path& path) {
  std::string pack = test::read_file(path);
  for (std::size_t at = 20'000; at < 200'000; at += 1000) pack[at] ^= 1;
  test::write_file(path, pack);
}

TEST_F(LostBase, WhenOnlyDamagedIsRepairedWithWhatNeedsIt) {
  damage(base_pack_);
  auto store = open();
  ASSERT_OK(store);
  const auto report = verify(*store, {.content = true, .repair = true}, {});
  ASSERT_OK(report);
  EXPECT_GT(report->chunks_lost, 0U);
  for (const unsigned version : {1U, 0U}) {
    ASSERT_OK(take_in_version(*store, version));
    EXPECT_EQ(give_back(*store, name_of_version(version)).value_or(""), nar_of_version(version));
  }
  expect_clean(*store);
}

/// What verify says is damaged, and where.
std::vector<std::string> places_of_damage(const Store& store) {
  std::vector<std::string> places;
  const auto report = verify(store, {.content = true, .threads = 1},
                             [&](const Error& error) { places.push_back(error.context); });
  EXPECT_OK(report);
  return places;
}

TEST_F(LostBase, WhenOnlyDamagedIsNamedAsThePlaceOfTheDamage) {
  damage(base_pack_);
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  const auto root = directory_.path() / "store";
  const std::string base_key = base_pack_.lexically_relative(root);
  std::size_t of_deltas = 0;
  for (const std::string& place : places_of_damage(*store)) {
    if (!place.starts_with("packs/") || place.starts_with(base_key)) continue;
    EXPECT_THAT(place, testing::HasSubstr(": " + base_key)) << "the delta's own pack is intact";
    ++of_deltas;
  }
  EXPECT_GT(of_deltas, 0U);
}

TEST_F(Deltas, OfABaseInTheSamePackSayThePackOnce) {
  auto store = open();
  ASSERT_OK(store);
  std::vector<std::string> junk;
  for (const unsigned version : {0U, 1U}) {
    junk.push_back("junk" + std::to_string(version));
    ASSERT_OK(take_in(
        *store, {{name_of_version(version), nar_of_version(version)},
                 {junk.back(), test::make_nar({{"j", random_bytes(90 + version, 500'000)}})}}));
  }
  ASSERT_OK(store->remove(junk));
  ASSERT_OK(collect_garbage(*store, {}));
  ASSERT_EQ(packs().size(), 1U);
  const std::string key = packs().front().lexically_relative(directory_.path() / "store");
  damage(packs().front());
  const auto places = places_of_damage(*store);
  EXPECT_FALSE(places.empty());
  for (const std::string& place : places) EXPECT_EQ(place.find(key), place.rfind(key)) << place;
}

TEST(OlderVersion, FindsTheSamePlaceInTheSameFileOrOneOfAnotherNumber) {
  // Behind a private constructor: through a store.
  test::TemporaryDirectory directory;
  StoreOptions options;
  options.access = StoreAccess::write;
  options.create = true;
  auto store = Store::open(directory.path() / "store", options);
  ASSERT_OK(store);
  const std::string nar = test::make_nar(
      {{"libz.so.1.2.13", std::string(100'000, 'z')}, {"other", std::string(50'000, 'o')}});
  test::write_file(directory.path() / "zlib-1.2.13.nar", nar);
  const std::vector<IngestSource> sources{
      {IngestSource::Kind::nar_file, directory.path() / "zlib-1.2.13.nar", -1, {}}};
  ASSERT_OK(ingest(*store, sources, test::small_chunks(), {}));
  const auto older = pipeline::OlderVersion::find(store->parts(), "zlib-1.3.nar");
  ASSERT_TRUE(older);
  EXPECT_FALSE(pipeline::OlderVersion::find(store->parts(), "zstd-1.3.nar"));

  const std::vector<NarEntry> entries{
      {"", NarEntryType::directory, false, 24, 0},
      {"libz.so.1.3", NarEntryType::regular, false, 1000, 200'000},
      {"more", NarEntryType::regular, false, 300'000, 10},
      {"nothing/alike", NarEntryType::directory, false, 400'000, 0}};
  const auto z = nar.find("zzzz"), o = nar.find("oooo");
  const auto half = older->range_of({1000 + 100'000, 50'000}, entries);
  EXPECT_NEAR(static_cast<double>(half.begin), static_cast<double>(z + 50'000), 2);
  EXPECT_NEAR(static_cast<double>(half.end), static_cast<double>(z + 75'000), 2);
  const auto neighbor = older->range_of({300'000, 10}, entries);
  EXPECT_GE(neighbor.begin, z + 100'000) << "a new file lies behind the one before it";
  EXPECT_LE(neighbor.begin, nar.size());
  EXPECT_GT(o, z);
  const auto nowhere = older->range_of({30, 10}, std::span(entries).first(1));
  EXPECT_EQ(nowhere.begin, nowhere.end);
}

}  // namespace
}  // namespace chunker
