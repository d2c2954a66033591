#include <algorithm>

#include "pipeline/store_fixture.hpp"
#include "store/blob_failing.hpp"
#include "store/parts.hpp"

// What happens at the worst moment: every blob operation fails once, packs are damaged or lost.
namespace chunker {
namespace {

using store::BlobOperation;
using store::FaultKind;
using test::random_bytes;

std::map<std::string, std::string> three_nars() {
  const std::string shared = random_bytes(1, 100'000);
  return {{"a.nar", test::make_nar({{"f", shared}, {"g", random_bytes(2, 60'000)}})},
          {"b.nar", test::make_nar({{"f", shared}, {"h", random_bytes(3, 60'000)}})},
          {"c.nar", test::make_nar({{"i", random_bytes(4, 150'000)}})}};
}

class Damage : public test::StoreFixture {
 protected:
  /// Opens the store with its n-th operation of a kind failing. Small packs, so that there are several.
  Result<Store> open_failing(BlobOperation operation, std::uint64_t number, FaultKind kind) {
    options_.pack_bytes_target = 64'000;
    auto store = open();
    if (!store) return store;
    auto& blobs = store->parts().blobs;
    blobs = std::make_unique<store::FailingBlobStore>(
        std::move(blobs),
        store::fault_at(operation, number,
                        {kind, {ErrorCode::io_no_space, "no space is left on the device"}}));
    return store;
  }
};

TEST_F(Damage, NoFaultLosesAnAcknowledgedNar) {
  const auto nars = three_nars();
  std::size_t faults = 0;
  for (const auto operation :
       {BlobOperation::create, BlobOperation::append, BlobOperation::commit}) {
    for (const auto kind : {FaultKind::refused, FaultKind::torn}) {
      for (std::uint64_t number = 1; number < 100; number += number < 6 ? 1 : 5) {
        std::filesystem::remove_all(directory_.path() / "store");
        bool failed = false;
        std::vector<std::string> acknowledged;
        {
          auto store = open_failing(operation, number, kind);
          ASSERT_OK(store);
          const auto ingested = take_in(*store, nars);
          failed = !ingested;
          if (failed) {
            EXPECT_EQ(ingested.error().code, ErrorCode::io_no_space);
          }
          ASSERT_EQ(reported_.size(), nars.size());
          ASSERT_EQ(report_count_, nars.size());
          if (failed && kind == FaultKind::torn && operation == BlobOperation::commit) {
            // The pack may be there: only opening again can tell.
            EXPECT_EQ(take_in(*store, nars).error().code, ErrorCode::io_unavailable);
          }
          for (const auto& [name, result] : reported_) {
            if (result) acknowledged.push_back(name);
          }
        }
        auto store = open();
        ASSERT_OK(store);
        expect_clean(*store);
        for (const std::string& name : acknowledged) {
          EXPECT_EQ(give_back(*store, name).value_or(""), nars.at(name));
        }
        ASSERT_OK(take_in(*store, nars));
        for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
        expect_clean(*store);
        if (!failed) break;
        EXPECT_LT(acknowledged.size(), nars.size());
        ++faults;
      }
    }
  }
  EXPECT_GT(faults, 20U);
}

TEST_F(Damage, NoFaultInGcLosesANar) {
  const auto nars = three_nars();
  std::size_t faults = 0;
  for (const auto operation : {BlobOperation::create, BlobOperation::append, BlobOperation::commit,
                               BlobOperation::remove, BlobOperation::read}) {
    for (std::uint64_t number = 1; number < 200; number += number < 6 ? 1 : 4) {
      std::filesystem::remove_all(directory_.path() / "store");
      bool failed = false;
      {
        options_.pack_bytes_target = 64'000;
        auto store = open();
        ASSERT_OK(store);
        ASSERT_OK(take_in(*store, nars));
        ASSERT_OK(store->remove(std::vector<std::string>{"a.nar"}));
      }
      {
        auto store = open_failing(operation, number, FaultKind::refused);
        ASSERT_OK(store);
        failed = !collect_garbage(*store, {.garbage_min = 0, .dry_run = false});
      }
      {
        // A reader sees the store as the fault left it.
        auto reader = open(StoreAccess::read);
        ASSERT_OK(reader);
        expect_clean(*reader);
      }
      auto store = open();
      ASSERT_OK(store);
      expect_clean(*store);
      ASSERT_OK(collect_garbage(*store, {.garbage_min = 0, .dry_run = false}));
      expect_clean(*store);
      EXPECT_EQ(give_back(*store, "b.nar").value_or(""), nars.at("b.nar"));
      EXPECT_EQ(give_back(*store, "c.nar").value_or(""), nars.at("c.nar"));
      EXPECT_EQ(give_back(*store, "a.nar").error().code, ErrorCode::store_not_found);
      if (!failed) break;
      ++faults;
    }
  }
  EXPECT_GT(faults, 10U);
}

TEST_F(Damage, AFlippedBitIsFoundWhereverItIs) {
  const auto nars = three_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  const auto pack = packs().front();
  const std::string sound = test::read_file(pack);
  for (std::size_t at = 0; at < sound.size(); at += 1 + sound.size() / 97) {
    std::string damaged = sound;
    damaged[at] ^= 0x10;
    test::write_file(pack, damaged);
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    std::uint64_t seen = 0;
    const auto report =
        verify(*store, {.content = true, .threads = 1}, [&seen](const Error&) { ++seen; });
    ASSERT_OK(report);
    EXPECT_GT(report->problems, 0U) << "byte " << at;
    EXPECT_EQ(report->problems, seen);
    for (const auto& [name, nar] : nars) {
      const auto restored = give_back(*store, name);
      if (restored) {
        EXPECT_EQ(*restored, nar);
      }
    }
  }
}

TEST_F(Damage, AMissingPackIsReportedAndPushingAgainHeals) {
  const auto nars = three_nars();
  options_.pack_bytes_target = 64'000;
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  ASSERT_GT(packs().size(), 2U);
  std::filesystem::remove(packs().front());
  {
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    std::vector<Error> problems;
    const auto report = verify(*store, {}, [&](const Error& error) { problems.push_back(error); });
    ASSERT_OK(report);
    EXPECT_GT(report->nars_damaged, 0U);
    EXPECT_TRUE(std::ranges::any_of(problems, [](const Error& error) {
      return error.what == "a pack is missing" && error.context.starts_with("packs/");
    }));
    std::size_t lost = 0;
    for (const auto& [name, nar] : nars) {
      const auto restored = give_back(*store, name);
      if (restored) {
        EXPECT_EQ(*restored, nar);
      } else {
        ++lost;
        EXPECT_EQ(retry(restored.error().code), Retry::never) << describe(restored.error());
      }
    }
    EXPECT_GT(lost, 0U);
  }
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
    for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
    expect_clean(*store);
  }
  // Healed in the packs, not only in the index.
  ASSERT_OK(rebuild_index(directory_.path() / "store"));
  auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
  expect_clean(*store);
}

TEST_F(Damage, AnotherRecipeHealsToo) {
  const auto nars = three_nars();
  options_.pack_bytes_target = 64'000;
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  std::filesystem::remove(packs().front());
  auto options = test::small_chunks();
  options.chunking.recipe.avg_bytes = 16'384;
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, nars, options));
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar) << name;
  expect_clean(*store);
}

TEST_F(Damage, ATruncatedPackIsReportedAndPushingAgainHeals) {
  const auto nars = three_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  std::filesystem::resize_file(packs().front(), 1000);
  {
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    const auto report = verify(*store, {}, {});
    ASSERT_OK(report);
    EXPECT_GT(report->problems, 0U);
    EXPECT_GT(report->nars_damaged, 0U);
  }
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, nars));
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
}

TEST_F(Damage, GcDoesNotTouchAStoreWithAPackItCannotRead) {
  options_.pack_bytes_target = 64'000;
  const auto nars = three_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  // The pack that names the NARs is the last one; without it their chunks look like garbage.
  std::filesystem::path last;
  for (const auto& pack : packs()) {
    if (test::read_file(pack).find("c.nar") != std::string::npos) last = pack;
  }
  const std::string sound = test::read_file(last);
  test::write_file(last, sound.substr(0, sound.size() - 1));
  {
    auto store = open();
    ASSERT_OK(store);
    const auto report = collect_garbage(*store, {.garbage_min = 0, .dry_run = false});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::store_corrupt);
  }
  test::write_file(last, sound);
  auto store = open();
  ASSERT_OK(store);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
  ASSERT_OK(collect_garbage(*store, {.garbage_min = 0, .dry_run = false}));
  expect_clean(*store);
}

TEST_F(Damage, APackOfALaterVersionIsNeverPassedOver) {
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, three_nars()));
  }
  std::string pack = test::read_file(packs().front());
  pack[7] = 2;
  pack.back() ^= 1;  // Else it would be one of ours, and the version damaged.
  test::write_file(packs().front(), pack);
  std::filesystem::remove_all(directory_.path() / "store" / "index");
  EXPECT_EQ(open().error().code, ErrorCode::store_version);
  EXPECT_EQ(rebuild_index(directory_.path() / "store").error().code, ErrorCode::store_version);
}

TEST_F(Damage, TheIndexIsRebuiltFromThePacksAlone) {
  const auto nars = three_nars();
  for (const auto layout : {StoreLayout::packs, StoreLayout::objects}) {
    std::filesystem::remove_all(directory_.path() / "store");
    options_.layout = layout;
    std::vector<std::string> before;
    {
      auto store = open();
      ASSERT_OK(store);
      ASSERT_OK(take_in(*store, nars));
      ASSERT_OK(take_in(*store, {{"a.nar", test::make_nar({{"new", "version"}})}}));
      ASSERT_OK(store->remove(std::vector<std::string>{"c.nar"}));
      ASSERT_OK(store->list([&](const StoredNar& nar) -> Result<void> {
        before.push_back(nar.name + nar.nar_sha256.hex());
        return {};
      }));
    }
    std::filesystem::remove_all(directory_.path() / "store" / "index");
    EXPECT_FALSE(open(StoreAccess::read));
    const auto report = rebuild_index(directory_.path() / "store");
    ASSERT_OK(report);
    EXPECT_EQ(report->nars, before.size());
    EXPECT_EQ(report->packs_damaged, 0U);
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    std::vector<std::string> after;
    ASSERT_OK(store->list([&](const StoredNar& nar) -> Result<void> {
      after.push_back(nar.name + nar.nar_sha256.hex());
      return {};
    }));
    EXPECT_EQ(after, before);
    EXPECT_EQ(give_back(*store, "b.nar").value_or(""), nars.at("b.nar"));
    EXPECT_EQ(give_back(*store, "c.nar").error().code, ErrorCode::store_not_found);
    expect_clean(*store);
  }
}

TEST_F(Damage, AWriterMakesALostIndexAnew) {
  const auto nars = three_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  const auto before = packs();
  std::filesystem::remove_all(directory_.path() / "store" / "index");
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, nars));
  EXPECT_EQ(packs(), before);
  expect_clean(*store);
}

TEST_F(Damage, PacksThatACrashKeptFromTheIndexAreFound) {
  const auto nars = three_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, {{"a.nar", nars.at("a.nar")}}));
  }
  const auto index = directory_.path() / "store" / "index";
  std::filesystem::copy(index, directory_.path() / "old", std::filesystem::copy_options::recursive);
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  std::filesystem::remove_all(index);
  std::filesystem::rename(directory_.path() / "old", index);
  auto store = open();
  ASSERT_OK(store);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
  expect_clean(*store);
}

}  // namespace
}  // namespace chunker
