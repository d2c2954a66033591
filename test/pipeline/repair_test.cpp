#include <algorithm>

#include "pipeline/store_fixture.hpp"
#include "store/blob_failing.hpp"
#include "store/parts.hpp"
#include "store/salvage.hpp"

// Damage that was found is healed: verify with repair, then ingest what it names.
namespace chunker {
namespace {

using store::BlobOperation;
using store::FaultKind;
using test::random_bytes;

constexpr std::size_t kVersionByte = 7;

class Repair : public test::StoreFixture {
 protected:
  struct Findings {
    VerifyReport report;
    std::vector<Error> problems;
    std::vector<Error> notes;

    [[nodiscard]] bool names(const std::string& nar) const {
      return std::ranges::any_of(
          problems, [&](const Error& error) { return error.context.starts_with(nar); });
    }
  };

  /// A pack or more for each NAR; they share chunks.
  void fill(StoreLayout layout = StoreLayout::packs) {
    std::filesystem::remove_all(store_path());
    options_.layout = layout;
    options_.pack_bytes_target = 64'000;
    auto store = open();
    ASSERT_OK(store);
    for (const auto& nar : nars_) ASSERT_OK(take_in(*store, {nar}));
  }

  /// A single pack.
  void fill_one() {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
  }

  static Result<Findings> look(const Store& store, bool repair) {
    Findings found;
    VerifyOptions options{.content = true, .repair = repair, .threads = 2};
    options.on_note = [&found](const Error& note) { found.notes.push_back(note); };
    auto report =
        verify(store, options, [&found](const Error& error) { found.problems.push_back(error); });
    if (!report) return std::unexpected(report.error());
    found.report = *report;
    return found;
  }

  Result<Findings> repair() {
    auto store = open();
    if (!store) return std::unexpected(store.error());
    return look(*store, true);
  }

  /// Every NAR comes back, nothing is damaged, and the same from the packs alone.
  void expect_whole() {
    for (const bool rebuilt : {false, true}) {
      if (rebuilt) {
        ASSERT_OK(rebuild_index(store_path()));
      }
      auto store = open(StoreAccess::read);
      ASSERT_OK(store);
      expect_clean(*store);
      for (const auto& [name, nar] : nars_) {
        EXPECT_EQ(give_back(*store, name).value_or("") == nar, true) << name;
      }
    }
  }

  void flip(const std::filesystem::path& pack, std::size_t at) {
    std::string bytes = test::read_file(pack);
    bytes[at] ^= 0x10;
    test::write_file(pack, bytes);
  }

  std::filesystem::path store_path() const { return directory_.path() / "store"; }

  const std::string shared_ = random_bytes(1, 100'000);
  std::map<std::string, std::string> nars_{
      {"a.nar", test::make_nar({{"f", shared_}, {"g", random_bytes(2, 60'000)}})},
      {"b.nar", test::make_nar({{"f", shared_}, {"h", random_bytes(3, 60'000)}})},
      {"c.nar", test::make_nar({{"i", random_bytes(4, 150'000)}})}};
};

TEST_F(Repair, AFlippedByteIsHealedWhereverItIs) {
  for (const auto layout : {StoreLayout::packs, StoreLayout::objects}) {
    fill(layout);
    std::size_t lost = 0;
    for (std::size_t turn = 0; turn < 24; ++turn) {
      const auto all = packs();
      const auto& pack = all[turn * 5 % all.size()];
      const std::size_t at =
          turn == 0 ? kVersionByte : turn * 2654435761U % std::filesystem::file_size(pack);
      flip(pack, at);
      const auto key = std::filesystem::relative(pack, store_path());
      {
        auto store = open(StoreAccess::read);
        ASSERT_OK(store);
        const auto found = look(*store, false);
        ASSERT_OK(found);
        EXPECT_GT(found->problems.size() + found->notes.size(), 0U) << key << " byte " << at;
      }
      const auto repaired = repair();
      ASSERT_OK(repaired);
      lost += repaired->report.chunks_lost;
      for (const auto& [name, nar] : nars_) {
        auto store = open(StoreAccess::read);
        ASSERT_OK(store);
        // It names every NAR that has to be ingested again, and no other.
        const auto restored = give_back(*store, name);
        EXPECT_EQ(!restored, repaired->names(name)) << name;
        if (restored) {
          EXPECT_TRUE(*restored == nar) << name;
        }
      }
      auto store = open();
      ASSERT_OK(store);
      ASSERT_OK(take_in(*store, nars_));
      // It stays where a chunk object was replaced.
      EXPECT_EQ(std::filesystem::exists(store_path() / "damaged" / key),
                repaired->report.packs_set_aside == 1)
          << key;
      expect_clean(*store);
    }
    EXPECT_GT(lost, 0U);
    const auto sound = repair();
    ASSERT_OK(sound);
    EXPECT_TRUE(sound->problems.empty() && sound->notes.empty());
    expect_whole();
  }
}

TEST_F(Repair, DamageOutsideOfTheFramesLosesNothing) {
  for (const auto layout : {StoreLayout::packs, StoreLayout::objects}) {
    fill(layout);
    for (const auto& pack : packs()) flip(pack, std::filesystem::file_size(pack) - 60);
    const auto repaired = repair();
    ASSERT_OK(repaired);
    EXPECT_GT(repaired->report.chunks_saved, 0U);
    EXPECT_EQ(repaired->report.chunks_lost, 0U);
    EXPECT_EQ(repaired->report.nars_damaged, 0U);
    expect_whole();
  }
}

TEST_F(Repair, OneLostChunkCostsNoOther) {
  fill();
  const auto pack = packs().front();
  flip(pack, 5000);
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.packs_set_aside, 1U);
  EXPECT_GT(repaired->report.chunks_saved, 0U);
  EXPECT_GT(repaired->report.chunks_lost, 0U);
  EXPECT_GT(repaired->report.nars_damaged, 0U);
  const auto lost = std::ranges::count_if(repaired->notes, [](const Error& note) {
    return note.what == "no intact copy of this chunk is left";
  });
  EXPECT_EQ(static_cast<std::uint64_t>(lost), repaired->report.chunks_lost);
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, nars_));
  std::uint64_t stored_again = 0;
  for (const auto& [name, result] : reported_) stored_again += result->new_chunks;
  EXPECT_EQ(stored_again, repaired->report.chunks_lost);
}

TEST_F(Repair, AMissingPackIsHealed) {
  fill();
  const std::size_t count = packs().size();
  ASSERT_GE(count, nars_.size());
  for (std::size_t i = 0; i < count; ++i) {
    fill();
    std::filesystem::remove(packs()[i]);
    const auto repaired = repair();
    ASSERT_OK(repaired);
    EXPECT_GT(repaired->report.nars_damaged, 0U);
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
    *store = std::move(*open(StoreAccess::read));
    expect_clean(*store);
  }
  expect_whole();
}

// Where a new index replays the packs, such a NAR has lost its first name before its second one comes.
TEST_F(Repair, ANarStaysWhoseSecondNameWasInAMissingPack) {
  const auto first = test::make_nar({{"f", random_bytes(5, 50'000)}});
  const auto second = test::make_nar({{"f", random_bytes(6, 90'000)}});
  for (const bool by_repair : {true, false}) {
    std::filesystem::remove_all(store_path());
    std::string kept_as;
    {
      auto store = open();
      ASSERT_OK(store);
      ASSERT_OK(take_in(*store, {{"a.nar", first}}));
      kept_as = "a.nar~" + reported_.at("a.nar")->nar_sha256.hex().substr(0, 12);
      ASSERT_OK(take_in(*store, {{"a.nar", second}}));
      ASSERT_OK(store->remove(std::vector<std::string>{"a.nar"}));
    }
    std::filesystem::remove(packs().front());
    if (by_repair) {
      ASSERT_OK(repair());
    }
    nars_ = {{kept_as, first}};
    ASSERT_OK(rebuild_index(store_path()));
    expect_whole();
  }
}

TEST_F(Repair, WhatIsLeftOfATruncatedPackIsSaved) {
  nars_ = {{"large.nar", test::make_nar({{"f", random_bytes(5, 4'000'000)}})}};
  fill_one();
  const auto pack = packs().front();
  const auto size = std::filesystem::file_size(pack);
  std::filesystem::resize_file(pack, size * 2 / 3);
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.packs_set_aside, 1U);
  EXPECT_FALSE(std::filesystem::exists(pack));
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
    std::uint64_t stored_again = 0;
    for (const auto& [name, result] : reported_) stored_again += result->new_stored_bytes;
    EXPECT_GT(stored_again, 0U);
    EXPECT_LT(stored_again, size / 3 + (2 << 20));  // A frame at most beyond what is gone.
  }
  expect_whole();
}

TEST_F(Repair, APackThatNobodyKnowsAndNobodyCanReadGoesToo) {
  fill();
  const auto pack = store_path() / "packs/00" / std::string(64, '0');
  std::filesystem::create_directories(pack.parent_path());
  test::write_file(pack, "garbage");
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.packs_set_aside, 1U);
  EXPECT_EQ(repaired->report.nars_damaged, 0U);
  expect_whole();
}

TEST_F(Repair, APackOfALaterVersionStays) {
  fill();
  const auto pack = packs().front();
  flip(pack, kVersionByte);
  flip(pack, std::filesystem::file_size(pack) - 1);
  EXPECT_EQ(repair().error().code, ErrorCode::store_version);
  EXPECT_TRUE(std::filesystem::exists(pack));
}

TEST_F(Repair, WhatCannotBeReadAndMayBeGoodEndsIt) {
  for (const auto code : {ErrorCode::io_permission, ErrorCode::io_failed,
                          ErrorCode::codec_unavailable, ErrorCode::io_unavailable}) {
    fill();
    const auto before = packs();
    const bool damaged = code == ErrorCode::io_failed;  // Else nothing but what cannot be read.
    if (damaged) flip(before.front(), 5000);
    {
      auto store = open();
      ASSERT_OK(store);
      auto& blobs = store->parts().blobs;
      const std::string key = std::filesystem::relative(before.back(), store_path());
      blobs = std::make_unique<store::FailingBlobStore>(
          std::move(blobs), [&](const store::BlobCall& call) -> std::optional<store::Fault> {
            if (call.operation != BlobOperation::read || call.key != key) return std::nullopt;
            return store::Fault{FaultKind::refused, {code, "not today"}};
          });
      const auto found = look(*store, true);
      ASSERT_FALSE(found) << name(code) << " was taken for damage";
      EXPECT_EQ(found.error().code, code);
    }
    EXPECT_EQ(packs(), before);
    EXPECT_FALSE(std::filesystem::exists(store_path() / "damaged"));
    const auto repaired = repair();
    ASSERT_OK(repaired);
    EXPECT_EQ(repaired->report.packs_set_aside, damaged ? 1U : 0U);
  }
}

// Without repair it is reported, and so are the NARs; but nobody knows of any damage.
TEST_F(Repair, OfWhatCannotBeReadNoDamageIsClaimed) {
  fill();
  // None of its reads, or only those behind the three that its directory takes.
  for (const int good_reads : {0, 3}) {
    auto store = open();
    ASSERT_OK(store);
    auto& blobs = store->parts().blobs;
    const std::string key = std::filesystem::relative(packs().front(), store_path());
    int reads = 0;
    blobs = std::make_unique<store::FailingBlobStore>(
        std::move(blobs), [&](const store::BlobCall& call) -> std::optional<store::Fault> {
          if (call.operation != BlobOperation::read || call.key != key) return std::nullopt;
          if (++reads <= good_reads) return std::nullopt;
          return store::Fault{FaultKind::refused, {ErrorCode::io_permission, "not yours"}};
        });
    const auto found = look(*store, false);
    ASSERT_OK(found);
    EXPECT_GT(found->report.nars_damaged, 0U);
    EXPECT_GT(found->problems.size(), found->report.nars_damaged) << "the pack";
    for (const Error& problem : found->problems) {
      EXPECT_FALSE(store::is_damage(problem.code)) << describe(problem);
    }
  }
}

TEST_F(Repair, NeedsEveryByteAndWriteAccess) {
  fill();
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ(verify(*store, {.content = false, .repair = true}, {}).error().code,
            ErrorCode::invalid_argument);
  *store = std::move(*open(StoreAccess::read));
  EXPECT_EQ(verify(*store, {.content = true, .repair = true}, {}).error().code,
            ErrorCode::invalid_argument);
}

TEST_F(Repair, ARepairOfASoundStoreChangesNothing) {
  fill();
  const auto before = packs();
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.problems, 0U);
  EXPECT_EQ(packs(), before);
  EXPECT_FALSE(std::filesystem::exists(store_path() / "damaged"));
}

TEST_F(Repair, WhatWasRemovedStaysRemoved) {
  fill();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(store->remove(std::vector<std::string>{"c.nar"}));
  }
  // The smallest pack is that of the removal; the next one names the NARs.
  for (const std::size_t nth : {1U, 2U}) {
    const auto all = packs();
    flip(all[all.size() - nth], 3);
    ASSERT_OK(repair());
    ASSERT_OK(rebuild_index(store_path()));
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    EXPECT_EQ(store->find("c.nar").error().code, ErrorCode::store_not_found);
    EXPECT_OK(store->find("a.nar"));
    expect_clean(*store);
  }
}

/// Every moment at which a repair can be cut off.
TEST_F(Repair, NoFaultLosesMoreThanTheDamageDid) {
  std::size_t faults = 0;
  for (const auto operation : {BlobOperation::create, BlobOperation::append, BlobOperation::commit,
                               BlobOperation::rename}) {
    for (const auto kind : {FaultKind::refused, FaultKind::torn}) {
      for (std::uint64_t number = 1; number < 40; number += number < 4 ? 1 : 7) {
        fill();
        const auto all = packs();
        flip(all[0], 5000);
        flip(all[1], std::filesystem::file_size(all[1]) - 60);
        bool failed = false;
        {
          auto store = open();
          ASSERT_OK(store);
          auto& blobs = store->parts().blobs;
          blobs = std::make_unique<store::FailingBlobStore>(
              std::move(blobs),
              store::fault_at(operation, number, {kind, {ErrorCode::io_no_space, "full"}}));
          failed = !look(*store, true);
        }
        const auto repaired = repair();
        ASSERT_OK(repaired);
        auto store = open();
        ASSERT_OK(store);
        ASSERT_OK(take_in(*store, nars_));
        std::uint64_t stored_again = 0;
        for (const auto& [name, result] : reported_) stored_again += result->new_chunks;
        EXPECT_LE(stored_again, 8U);  // The chunks of one frame.
        expect_clean(*store);
        if (!failed) break;
        ++faults;
      }
    }
  }
  EXPECT_GT(faults, 8U);
  expect_whole();
}

/// A gc that was cut off leaves living chunks twice: where the index finds them, and in the old pack.
class Twice : public Repair {
 protected:
  void SetUp() override {
    fill_one();
    cut_off_gc({"c.nar"});
  }

  void cut_off_gc(const std::vector<std::string>& removed) {
    const auto before = packs();
    old_.clear();
    fresh_.clear();
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(store->remove(removed));
    auto& blobs = store->parts().blobs;
    blobs = std::make_unique<store::FailingBlobStore>(std::move(blobs),
                                                      store::fault_at(BlobOperation::remove, 1));
    ASSERT_FALSE(collect_garbage(*store, {.garbage_min = 0, .dry_run = false}));
    for (const auto& pack : packs()) {
      (std::ranges::find(before, pack) != before.end() ? old_ : fresh_).push_back(pack);
    }
  }

  void expect_a_and_b() {
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    for (const char* name : {"a.nar", "b.nar"}) {
      EXPECT_TRUE(give_back(*store, name).value_or("") == nars_.at(name)) << name;
    }
    expect_clean(*store);
  }

  std::vector<std::filesystem::path> old_;
  std::vector<std::filesystem::path> fresh_;  ///< Largest first.
};

TEST_F(Twice, DamageOfTheCopyThatNobodyReadsIsANote) {
  ASSERT_EQ(old_.size(), 1U);
  bool noted = false;
  for (std::size_t at = 5000; !noted && at < std::filesystem::file_size(old_[0]); at += 5000) {
    flip(old_[0], at);
    {
      auto store = open(StoreAccess::read);
      ASSERT_OK(store);
      const auto found = look(*store, false);
      ASSERT_OK(found);
      EXPECT_EQ(found->report.nars_damaged, 0U);
      noted =
          found->problems.empty();  // Or else it was a chunk of c.nar, which the index finds here.
      EXPECT_EQ(found->notes.empty(), !noted);
    }
    if (!noted) flip(old_[0], at);
  }
  EXPECT_TRUE(noted);
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.problems, 0U);
  EXPECT_EQ(repaired->report.packs_set_aside, 1U);
  ASSERT_OK(rebuild_index(store_path()));
  expect_a_and_b();
}

TEST_F(Twice, DamageOfTheOneThatIsReadIsMendedFromTheOther) {
  flip(fresh_.front(), 5000);
  {
    auto store = open(StoreAccess::read);
    ASSERT_OK(store);
    const auto found = look(*store, false);
    ASSERT_OK(found);
    EXPECT_GT(found->report.nars_damaged, 0U);
    EXPECT_TRUE(std::ranges::any_of(found->problems, [](const Error& error) {
      return error.what.contains("another copy is good");
    }));
  }
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.chunks_lost, 0U);
  EXPECT_EQ(repaired->report.nars_damaged, 0U);
  expect_a_and_b();
}

TEST_F(Twice, APackThatIsGoneIsMissedByNobodyWhileAnotherHasTheSame) {
  std::filesystem::remove(fresh_.front());
  ASSERT_OK(open());
  expect_a_and_b();
}

TEST_F(Twice, GarbageThatIsStillInAnotherPackStaysKnown) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"c.nar", nars_.at("c.nar")}}));
  ASSERT_OK(store->remove(std::vector<std::string>{"a.nar", "b.nar"}));
  // All of the new pack is garbage, two thirds of the old one are.
  const auto report = collect_garbage(*store, {.garbage_min = 0.8, .dry_run = false});
  ASSERT_OK(report);
  EXPECT_FALSE(std::filesystem::exists(fresh_.front()));
  EXPECT_TRUE(std::filesystem::exists(old_.front()));
  expect_clean(*store);
  EXPECT_TRUE(give_back(*store, "c.nar").value_or("") == nars_.at("c.nar"));
}

TEST_F(Twice, ADeltaIsNotLostWhenItsBaseIsMended) {
  std::filesystem::remove_all(store_path());
  const std::string older = random_bytes(5, 300'000);
  std::string newer = older;
  for (std::size_t at = 0; at < newer.size(); at += 4096) newer[at] ^= 0x10;
  nars_ = {{"tool-1.nar", test::make_nar({{"bin", older}})},
           {"tool-2.nar", test::make_nar({{"bin", newer}})}};
  {
    auto store = open();
    ASSERT_OK(store);
    for (const std::string version : {"1", "2"}) {
      const std::string name = "tool-" + version + ".nar";
      ASSERT_OK(
          take_in(*store, {{name, nars_.at(name)},
                           {"junk" + version,
                            test::make_nar({{"f", random_bytes(std::stoul(version), 50'000)}})}}));
    }
    EXPECT_GT(reported_.at("tool-2.nar")->delta_raw_bytes, 250'000U);
  }
  // Base and deltas are together where the index finds them, and apart in the old packs.
  cut_off_gc({"junk1", "junk2"});
  ASSERT_EQ(old_.size(), 2U);
  flip(fresh_.front(), std::filesystem::file_size(fresh_.front()) / 2);
  const auto repaired = repair();
  ASSERT_OK(repaired);
  EXPECT_EQ(repaired->report.chunks_lost, 0U);
  EXPECT_EQ(repaired->report.nars_damaged, 0U);
  EXPECT_GT(repaired->report.problems, 0U);
  expect_whole();
}

}  // namespace
}  // namespace chunker
