#include <algorithm>

#include "pipeline/store_fixture.hpp"

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
