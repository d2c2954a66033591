#include <algorithm>
#include <set>

#include "pipeline/store_fixture.hpp"
#include "store/parts.hpp"

// rebuild_index() says what is lost.
namespace chunker {
namespace {

using test::random_bytes;

class Rebuild : public test::StoreFixture {
 protected:
  void SetUp() override {
    options_.pack_bytes_target = 64'000;
    auto store = open();
    ASSERT_OK(store);
    for (const auto& nar : nars_) ASSERT_OK(take_in(*store, {nar}));
  }

  RebuildReport rebuild() {
    problems_.clear();
    const auto report =
        rebuild_index(store_path(), [this](const Error& error) { problems_.push_back(error); });
    EXPECT_OK(report);
    return report.value_or(RebuildReport{});
  }

  bool is_named_in_a_problem(const std::string& context) const {
    return std::ranges::any_of(problems_, [&](const Error& error) {
      return error.code == ErrorCode::store_chunk_missing && error.context.starts_with(context);
    });
  }

  /// The NARs that come back; the others fail.
  std::vector<std::string> restorable() {
    std::vector<std::string> names;
    auto store = open(StoreAccess::read);
    EXPECT_OK(store);
    for (const auto& [name, nar] : nars_) {
      if (const auto restored = give_back(*store, name)) {
        EXPECT_TRUE(*restored == nar);
        names.push_back(name);
      }
    }
    return names;
  }

  std::filesystem::path store_path() const { return directory_.path() / "store"; }

  const std::map<std::string, std::string> nars_{
      {"a.nar", test::make_nar({{"f", random_bytes(1, 150'000)}})},
      {"b.nar", test::make_nar({{"f", random_bytes(2, 150'000)}})},
      {"c.nar", test::make_nar({{"f", random_bytes(3, 150'000)}})}};
  std::vector<Error> problems_;
};

TEST_F(Rebuild, WhatAMissingPackTookIsSaidAndItsNamesStay) {
  const auto all = packs();
  ASSERT_GE(all.size(), 3U);
  for (const auto& lost : all) {
    const std::string pack = test::read_file(lost);
    std::filesystem::remove(lost);
    const auto report = rebuild();
    EXPECT_TRUE(report.compared);
    EXPECT_EQ(report.packs_missing, 1U);
    EXPECT_EQ(report.nars, 3U);
    EXPECT_GT(report.nars_damaged, 0U);
    EXPECT_TRUE(report.is_damaged());
    EXPECT_TRUE(is_named_in_a_problem(std::filesystem::relative(lost, store_path()).string()));
    const auto whole = restorable();
    EXPECT_EQ(whole.size() + report.nars_damaged, 3U);
    for (const auto& [name, nar] : nars_) {
      const bool is_whole = std::ranges::find(whole, name) != whole.end();
      EXPECT_EQ(is_named_in_a_problem(name), !is_whole) << name;
    }
    // It came back: nothing was lost by rebuilding without it.
    test::write_file(lost, pack);
    EXPECT_FALSE(rebuild().is_damaged());
    EXPECT_EQ(restorable().size(), 3U);
  }
}

// Packs come back one after another, each time to a new index that was made without the others.
TEST_F(Rebuild, WhatAKilledOneLeavesIsRemovedByTheNextWriter) {
  const auto index = store_path() / "index";
  for (const char* leftover : {"index.old", "index.new"}) {
    std::filesystem::copy(index, store_path() / leftover, std::filesystem::copy_options::recursive);
  }
  ASSERT_OK(open(StoreAccess::read));
  EXPECT_TRUE(std::filesystem::exists(store_path() / "index.old")) << "a reader changes nothing";
  ASSERT_OK(open());
  EXPECT_FALSE(std::filesystem::exists(store_path() / "index.old"));
  EXPECT_FALSE(std::filesystem::exists(store_path() / "index.new"));
  EXPECT_EQ(restorable().size(), nars_.size());
}

TEST_F(Rebuild, PacksThatComeBackOneByOneAreFoundAgain) {
  const auto all = packs();
  ASSERT_GE(all.size(), 6U);
  std::map<std::filesystem::path, std::string> lost;
  for (const std::size_t i : {0U, 2U, 4U}) {
    lost[all[i]] = test::read_file(all[i]);
    std::filesystem::remove(all[i]);
  }
  EXPECT_EQ(rebuild().packs_missing, lost.size());
  while (!lost.empty()) {
    const std::size_t whole_before = restorable().size();
    test::write_file(lost.begin()->first, lost.begin()->second);
    lost.erase(lost.begin());
    const auto report = rebuild();
    EXPECT_EQ(report.nars, 3U) << "names stay";
    const auto whole = restorable();
    EXPECT_GE(whole.size(), whole_before);
    EXPECT_EQ(whole.size() + report.nars_damaged, 3U);
    EXPECT_EQ(report.is_damaged(), !lost.empty());
    for (const auto& [name, nar] : nars_) {
      const bool is_whole = std::ranges::find(whole, name) != whole.end();
      EXPECT_EQ(is_named_in_a_problem(name), !is_whole) << name;
    }
  }
  auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  expect_clean(*store);
}

// The same without anybody asking for a new index: whoever opens the store for writing finds out.
TEST_F(Rebuild, AWriterFindsWhatComesBackWhileOthersGo) {
  const auto all = packs();
  ASSERT_GE(all.size(), 6U);
  const std::string came_back = test::read_file(all[0]);
  std::filesystem::remove(all[0]);
  std::filesystem::remove(all[2]);
  ASSERT_OK(open());
  test::write_file(all[0], came_back);
  std::filesystem::remove(all[4]);
  auto store = open();
  ASSERT_OK(store);
  const auto report =
      verify(*store, {.content = true}, [this](const Error& error) { problems_.push_back(error); });
  ASSERT_OK(report);
  std::size_t whole = 0;
  for (const auto& [name, nar] : nars_) {
    const auto restored = give_back(*store, name);
    whole += restored ? 1U : 0U;
    EXPECT_TRUE(restored ? *restored == nar : is_named_in_a_problem(name)) << name;
  }
  EXPECT_EQ(report->nars_damaged + whole, 3U);
  EXPECT_LT(whole, 3U);
}

// The last pack is the one of the removal.
TEST_F(Rebuild, WhatWasRemovedStaysRemovedWhenTheRemovalIsLost) {
  for (const bool is_gone : {false, true}) {
    const auto before = packs();
    {
      auto store = open();
      ASSERT_OK(store);
      ASSERT_OK(store->remove(std::vector<std::string>{is_gone ? "a.nar" : "b.nar"}));
    }
    const auto after = packs();
    const auto removal = std::ranges::find_if(after, [&before](const auto& pack) {
      return std::ranges::find(before, pack) == before.end();
    });
    ASSERT_NE(removal, after.end());
    if (is_gone) {
      std::filesystem::remove(*removal);
    } else {
      test::write_file(*removal, std::string(std::filesystem::file_size(*removal), 'x'));
    }
    EXPECT_EQ(rebuild().nars, is_gone ? 1U : 2U);
    rebuild();
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    EXPECT_FALSE(store->find("b.nar"));
    EXPECT_EQ(store->find("a.nar").has_value(), !is_gone);
    EXPECT_TRUE(give_back(*store, "c.nar").value_or("") == nars_.at("c.nar"));
  }
}

TEST_F(Rebuild, WhatLiesInAPackWhoseDirectoryIsDamagedIsSaved) {
  for (const auto& pack : packs()) {
    std::string bytes = test::read_file(pack);
    bytes[bytes.size() - 70] ^= 1;
    test::write_file(pack, bytes);
  }
  const auto report = rebuild();
  EXPECT_GT(report.packs_damaged, 0U);
  EXPECT_EQ(report.nars_damaged, 0U);
  EXPECT_EQ(report.nars, 3U);
  EXPECT_EQ(restorable().size(), 3U);
}

// A power cut took the last step from the index, a pack is back that it had forgotten, and another is gone.
TEST_F(Rebuild, AWriterWhoseIndexIsBehindUndoesNothing) {
  const auto index = store_path() / "index";
  const auto all = packs();
  const std::string came_back = test::read_file(all[0]);
  std::filesystem::remove(all[0]);
  ASSERT_OK(open());
  const auto kept = directory_.path() / "kept";
  std::filesystem::copy(index, kept, std::filesystem::copy_options::recursive);
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(store->remove(std::vector<std::string>{"a.nar"}));
    ASSERT_OK(take_in(*store, {{"b.nar", nars_.at("c.nar")}}));
  }
  std::filesystem::remove_all(index);
  std::filesystem::rename(kept, index);
  test::write_file(all[0], came_back);
  std::filesystem::remove(all[2]);
  ASSERT_OK(open());
  auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  EXPECT_FALSE(store->find("a.nar"));
  const auto b = store->find("b.nar");
  const auto c = store->find("c.nar");
  ASSERT_OK(b);
  ASSERT_OK(c);
  EXPECT_EQ(b->nar_sha256, c->nar_sha256);
  std::set<std::uint64_t> sequences;
  ASSERT_OK(store->parts().index->for_each_pack([&](const store::PackEntry& pack) -> Result<void> {
    EXPECT_TRUE(sequences.insert(pack.sequence).second) << pack.sequence;
    return {};
  }));
}

// The new index numbers the packs anew: what a reader remembers of the old numbers stays that reader's own.
TEST_F(Rebuild, AReaderOfTheOldIndexReadsOnRightly) {
  const auto expect_back = [this](const Store& store, const std::string& name) {
    EXPECT_TRUE(give_back(store, name).value_or("") == nars_.at(name)) << name;
  };
  const auto expect_missing = [](const Store& store, const std::string& name) {
    const auto restored = give_back(store, name);
    ASSERT_FALSE(restored) << name;
    EXPECT_EQ(retry(restored.error().code), Retry::never) << describe(restored.error());
  };
  auto reader = open(StoreAccess::read);
  ASSERT_OK(reader);
  for (const char* name : {"b.nar", "c.nar"}) expect_back(*reader, name);
  // The middle of a.nar, which no other needs; all later packs get other numbers.
  std::filesystem::path early;
  ASSERT_OK(reader->parts().index->for_each_pack([&](const store::PackEntry& pack) -> Result<void> {
    if (pack.sequence == 2) early = store_path() / pack.key;
    return {};
  }));
  std::filesystem::remove(early);
  EXPECT_EQ(rebuild().packs_missing, 1U);
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(take_in(*writer, {{"d.nar", test::make_nar({{"f", random_bytes(4, 150'000)}})}}));
  }
  auto later = open(StoreAccess::read);
  ASSERT_OK(later);
  for (const Store* store : {&*reader, &*later}) {
    SCOPED_TRACE(store == &*reader ? "the old index" : "the new index");
    for (const char* name : {"b.nar", "c.nar"}) expect_back(*store, name);
    expect_missing(*store, "a.nar");
  }
  EXPECT_EQ(reader->find("d.nar").error().code, ErrorCode::store_not_found);
  EXPECT_OK(give_back(*later, "d.nar"));
}

TEST_F(Rebuild, IngestingAgainHeals) {
  std::filesystem::remove(packs().front());
  EXPECT_TRUE(rebuild().is_damaged());
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
    expect_clean(*store);
  }
  const auto report = rebuild();
  EXPECT_FALSE(report.is_damaged());
  EXPECT_EQ(report.packs_missing, 0U);
  EXPECT_EQ(report.chunks_lost, 0U);
  EXPECT_EQ(restorable().size(), 3U);
}

TEST_F(Rebuild, WithoutAnOldIndexHolesAreFoundToo) {
  std::filesystem::remove(packs().front());
  std::filesystem::remove_all(store_path() / "index");
  const auto report = rebuild();
  EXPECT_FALSE(report.compared);
  EXPECT_EQ(report.nars, 3U);
  EXPECT_GT(report.nars_damaged, 0U);
  EXPECT_TRUE(report.is_damaged());
  EXPECT_EQ(problems_.size(), report.nars_damaged);
}

TEST_F(Rebuild, ADamagedOldIndexIsDoneWithout) {
  for (const auto& file : std::filesystem::directory_iterator(store_path() / "index")) {
    if (file.path().extension() == ".sst") test::write_file(file.path(), "garbage");
  }
  const auto report = rebuild();
  EXPECT_FALSE(report.compared);
  EXPECT_FALSE(report.is_damaged());
  EXPECT_EQ(restorable().size(), 3U);
}

TEST_F(Rebuild, ASoundStoreHasNoLosses) {
  const auto before = packs();
  const auto report = rebuild();
  EXPECT_TRUE(report.compared);
  EXPECT_FALSE(report.is_damaged());
  EXPECT_EQ(report.packs_missing + report.chunks_lost + report.names_kept, 0U);
  EXPECT_TRUE(problems_.empty());
  EXPECT_EQ(packs(), before);
}

TEST_F(Rebuild, AnIndexThatIsBehindBringsNothingBack) {
  const auto index = store_path() / "index";
  std::filesystem::copy(index, directory_.path() / "old", std::filesystem::copy_options::recursive);
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(store->remove(std::vector<std::string>{"a.nar"}));
    ASSERT_OK(take_in(*store, {{"b.nar", nars_.at("c.nar")}}));
  }
  std::filesystem::remove_all(index);
  std::filesystem::rename(directory_.path() / "old", index);
  const auto report = rebuild();
  EXPECT_TRUE(report.compared);
  EXPECT_EQ(report.names_kept, 0U);
  EXPECT_FALSE(report.is_damaged());
  auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  EXPECT_EQ(store->find("a.nar").error().code, ErrorCode::store_not_found);
  EXPECT_TRUE(give_back(*store, "b.nar").value_or("") == nars_.at("c.nar"));
}

}  // namespace
}  // namespace chunker
