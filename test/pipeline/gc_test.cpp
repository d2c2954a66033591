#include <algorithm>

#include "pipeline/store_fixture.hpp"
#include "store/parts.hpp"

namespace chunker {
namespace {

using test::random_bytes;

const GcOptions kEverything{.garbage_min = 0, .dry_run = false};

class Gc : public test::StoreFixture {
 protected:
  std::uint64_t pack_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& pack : packs()) bytes += std::filesystem::file_size(pack);
    return bytes;
  }
};

TEST_F(Gc, TakesWhatNobodyNeedsAndNothingElse) {
  for (const auto layout : {StoreLayout::packs, StoreLayout::objects}) {
    std::filesystem::remove_all(directory_.path() / "store");
    options_.layout = layout;
    options_.pack_bytes_target = 100'000;
    auto store = open();
    ASSERT_OK(store);
    const std::string shared = random_bytes(1, 200'000);
    const std::string kept = test::make_nar({{"own", random_bytes(2, 50'000)}, {"shared", shared}});
    ASSERT_OK(take_in(
        *store,
        {{"gone.nar", test::make_nar({{"big", random_bytes(3, 600'000)}, {"shared", shared}})},
         {"kept.nar", kept}}));
    const auto before = pack_bytes();
    const auto nothing = collect_garbage(*store, kEverything);
    ASSERT_OK(nothing);
    EXPECT_EQ(nothing->packs_removed, 0U);

    ASSERT_OK(store->remove(std::vector<std::string>{"gone.nar"}));
    EXPECT_EQ(give_back(*store, "gone").error().code, ErrorCode::store_not_found);
    const auto planned = collect_garbage(*store, {.garbage_min = 0, .dry_run = true});
    ASSERT_OK(planned);
    EXPECT_GT(planned->packs_removed, 0U);
    EXPECT_GE(pack_bytes(), before);

    const auto report = collect_garbage(*store, kEverything);
    ASSERT_OK(report);
    EXPECT_EQ(report->packs_removed, planned->packs_removed);
    EXPECT_EQ(report->chunks_removed, planned->chunks_removed);
    EXPECT_LT(pack_bytes(), 270'000U);
    EXPECT_EQ(report->bytes_after, pack_bytes());
    EXPECT_EQ(give_back(*store, "kept").value_or(""), kept);
    expect_clean(*store);
    const auto again = collect_garbage(*store, kEverything);
    ASSERT_OK(again);
    EXPECT_EQ(again->packs_removed, 0U);
  }
}

TEST_F(Gc, WhatWasRemovedStaysRemovedAfterRebuilding) {
  options_.pack_bytes_target = 50'000;
  {
    auto store = open();
    ASSERT_OK(store);
    std::map<std::string, std::string> nars;
    for (std::uint64_t i = 0; i < 12; ++i) {
      nars["n" + std::to_string(10 + i)] = test::make_nar({{"f", random_bytes(i, 30'000)}});
    }
    ASSERT_OK(take_in(*store, nars));
    for (const char* name : {"n11", "n14", "n20"}) {
      ASSERT_OK(store->remove(std::vector<std::string>{name}));
      ASSERT_OK(collect_garbage(*store, {.garbage_min = 0.9, .dry_run = false}));
    }
    ASSERT_OK(take_in(*store, {{"n14", nars["n14"]}}));
    ASSERT_OK(collect_garbage(*store));
  }
  ASSERT_OK(rebuild_index(directory_.path() / "store"));
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ(store->stats()->nars, 10U);
  EXPECT_EQ(store->find("n11").error().code, ErrorCode::store_not_found);
  EXPECT_EQ(store->find("n20").error().code, ErrorCode::store_not_found);
  EXPECT_OK(store->find("n14"));
  ASSERT_OK(collect_garbage(*store, kEverything));
  expect_clean(*store);
}

// One that can keeps gc waiting. Here two share a process, and it lets its lock go.
TEST_F(Gc, AReaderThatMayNotLockFindsWhatWasCopiedAndIsToldWhatIsGone) {
  const std::string shared = random_bytes(1, 200'000);
  const std::string kept = test::make_nar({{"own", random_bytes(2, 50'000)}, {"shared", shared}});
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(take_in(
        *writer,
        {{"gone.nar", test::make_nar({{"big", random_bytes(3, 600'000)}, {"shared", shared}})},
         {"kept.nar", kept}}));
  }
  auto reader = open(StoreAccess::read);
  ASSERT_OK(reader);
  reader->parts().reader_lock.reset();
  const auto before = packs();
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(writer->remove(std::vector<std::string>{"gone.nar"}));
    ASSERT_OK(collect_garbage(*writer, kEverything));
  }
  ASSERT_TRUE(std::ranges::none_of(before, [](const auto& pack) { return exists(pack); }));
  const auto back = give_back(*reader, "kept.nar");
  ASSERT_OK(back);
  EXPECT_EQ(*back == kept, true);
  const auto manifest = reader->manifest(reader->find("kept.nar")->nar_sha256);
  ASSERT_OK(manifest);
  ByteBuffer chunk;
  EXPECT_OK(reader->read_chunk(manifest->chunks.back().digest, chunk));
  const auto gone = give_back(*reader, "gone.nar");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::store_not_found);
  EXPECT_NE(describe(gone.error()).find("was removed since"), std::string::npos);
}

// Of a pack that stays open the payload can be read after it is deleted, but what is asked by name is gone.
TEST_F(Gc, AReaderThatMayNotLockFindsWhatADeltaNeeds) {
  std::string version = random_bytes(1, 200'000);
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(take_in(*writer, {{"pkg-1.0.nar", test::make_nar({{"f", version}})}}));
  }
  for (std::size_t i = 0; i < version.size(); i += 10'000) version[i] ^= 1;
  const std::string newer = test::make_nar({{"f", version}});
  const std::string other = test::make_nar({{"f", random_bytes(2, 100'000)}});
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(take_in(*writer, {{"pkg-1.1.nar", newer},
                                {"other.nar", other},
                                {"gone.nar", test::make_nar({{"f", random_bytes(3, 600'000)}})}}));
  }
  auto reader = open(StoreAccess::read);
  ASSERT_OK(reader);
  reader->parts().reader_lock.reset();
  EXPECT_EQ(*give_back(*reader, "other.nar") == other, true);  // Its pack stays open.
  {
    auto writer = open();
    ASSERT_OK(writer);
    EXPECT_GT(writer->stats()->delta_raw_bytes, 0U);
    ASSERT_OK(writer->remove(std::vector<std::string>{"gone.nar"}));
    ASSERT_OK(collect_garbage(*writer, kEverything));
  }
  const auto back = give_back(*reader, "pkg-1.1.nar");
  ASSERT_OK(back);
  EXPECT_EQ(*back == newer, true);
}

// The name is there again, with chunks that the reader's index does not know.
TEST_F(Gc, AReaderThatMayNotLockFindsANarThatCameAgainWithOtherChunks) {
  const std::string nar = test::make_nar({{"f", random_bytes(1, 300'000)}});
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(take_in(*writer, {{"a.nar", nar}}));
  }
  auto reader = open(StoreAccess::read);
  ASSERT_OK(reader);
  reader->parts().reader_lock.reset();
  {
    auto writer = open();
    ASSERT_OK(writer);
    ASSERT_OK(writer->remove(std::vector<std::string>{"a.nar"}));
    ASSERT_OK(collect_garbage(*writer, kEverything));
    auto options = test::small_chunks();
    options.chunking.recipe.seed = 77;
    ASSERT_OK(take_in(*writer, {{"a.nar", nar}}, options));
  }
  const auto back = give_back(*reader, "a.nar");
  ASSERT_OK(back);
  EXPECT_EQ(*back == nar, true);
}

// As doc/cli.md says: a removal wins as long as it is recorded.
TEST_F(Gc, APackThatABackupBringsBackBringsNamesThatNoRecordRemoves) {
  const auto pack_directory = directory_.path() / "store/packs";
  const auto backup = directory_.path() / "backup";
  const std::string nar = test::make_nar({{"f", random_bytes(1, 100'000)}});
  const std::vector<std::string> name{"a.nar"};
  const auto bring_back = [&] {
    std::filesystem::copy(backup, pack_directory,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  };
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, {{"a.nar", nar}}));
  }
  std::filesystem::copy(pack_directory, backup, std::filesystem::copy_options::recursive);
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(store->remove(name));
  }
  for (const auto& file : std::filesystem::recursive_directory_iterator(backup)) {
    if (file.is_regular_file())
      std::filesystem::remove(pack_directory / relative(file.path(), backup));
  }
  ASSERT_OK(open());  // Forgets the pack.
  bring_back();
  {
    auto store = open();
    ASSERT_OK(store);
    EXPECT_FALSE(store->find("a.nar")) << "the removal is recorded, and newer";
    ASSERT_OK(collect_garbage(*store, kEverything));
  }
  bring_back();
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ(give_back(*store, "a.nar").value_or("") == nar, true);
  ASSERT_OK(store->remove(name));
  ASSERT_OK(collect_garbage(*store, kEverything));
  EXPECT_FALSE(store->find("a.nar"));
  EXPECT_TRUE(packs().empty());
}

TEST_F(Gc, AnEmptyStoreHasNothingLeft) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a", test::make_nar({{"f", random_bytes(1, 100'000)}})}}));
  ASSERT_OK(store->remove(std::vector<std::string>{"a"}));
  ASSERT_OK(collect_garbage(*store, kEverything));
  EXPECT_TRUE(packs().empty());
  EXPECT_EQ(store->stats()->unique_chunks, 0U);
}

TEST_F(Gc, RefusesAStoreWithHolesAndLosesNothingByIt) {
  options_.pack_bytes_target = 64'000;
  std::map<std::string, std::string> nars;
  for (std::uint64_t i = 0; i < 6; ++i) {
    nars["n" + std::to_string(i)] = test::make_nar({{"f", random_bytes(i, 50'000)}});
  }
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
  }
  for (const auto& lost : packs()) {
    const std::string pack = test::read_file(lost);
    std::filesystem::remove(lost);
    {
      auto store = open();
      ASSERT_OK(store);
      EXPECT_EQ(collect_garbage(*store, kEverything).error().code, ErrorCode::store_chunk_missing);
    }
    test::write_file(lost, pack);
    auto store = open();
    ASSERT_OK(store);
    for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar);
    expect_clean(*store);
  }
}

TEST_F(Gc, RemovingAnAbsentNameRemovesNothing) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a", test::make_nar({})}}));
  const auto removed = store->remove(std::vector<std::string>{"a", "b"});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().context, "b");
  EXPECT_OK(store->find("a"));
}

}  // namespace
}  // namespace chunker
