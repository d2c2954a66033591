#include <filesystem>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

// list, stats, remove, gc, verify and rebuild-index.
class CliStore : public CliTest {
 protected:
  void SetUp() override {
    a_ = add_nar("a.nar", 1);
    b_ = add_nar("b.nar", 2);
    ingest("a.nar");
    ingest("b.nar");
  }

  /// The largest pack; the one with the chunks of a.nar or b.nar.
  fs::path a_pack() const {
    fs::path largest;
    for (const auto& entry : fs::recursive_directory_iterator(store() + "/packs")) {
      if (!entry.is_regular_file()) continue;
      if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
    }
    return largest;
  }

  void flip_a_byte_of(const fs::path& pack) const {
    std::string bytes = read_file(pack);
    bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 1);
    fs::permissions(pack, fs::perms::owner_write, fs::perm_options::add);
    write_file(pack, bytes);
  }

  std::string a_;
  std::string b_;
};

TEST_F(CliStore, ListShowsOneRowForEachName) {
  const Outcome rows = on_store({"list"});
  EXPECT_EQ(rows.exit, 0);
  EXPECT_NE(rows.out.find("1.0 MiB"), std::string::npos) << rows.out;
  EXPECT_TRUE(rows.out.ends_with("  b.nar\n")) << rows.out;
  const auto objects = objects_of(on_store({"list", "--json"}).out);
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].at("name"), "a.nar");
  EXPECT_EQ(objects[0].at("nar_bytes"), a_.size());
  EXPECT_GT(objects[0].at("chunks"), 0);
  EXPECT_EQ(objects[0].at("added").get<std::string>().size(), 20U);
  EXPECT_GT(objects[0].at("added_unix_seconds"), 1600000000);
}

TEST_F(CliStore, StatsHaveTheFieldsThatScriptsNeed) {
  const Json stats = object_of_kind(on_store({"stats", "--json"}).out, "stats");
  EXPECT_EQ(stats.at("nars"), 2);
  EXPECT_EQ(stats.at("unique_nars"), 2);
  EXPECT_EQ(stats.at("logical_bytes"), a_.size() + b_.size());
  EXPECT_GT(stats.at("chunks"), 0);
  EXPECT_GT(stats.at("unique_chunks"), 0);
  const double stored = stats.at("stored_bytes");
  EXPECT_GT(stored, 0);
  EXPECT_NEAR(stats.at("dedup_ratio").get<double>(),
              static_cast<double>(a_.size() + b_.size()) / stored, 1e-6);
  std::uint64_t on_disk = 0;
  for (const auto& entry : fs::recursive_directory_iterator(store())) {
    if (entry.is_regular_file()) on_disk += entry.file_size();
  }
  EXPECT_NEAR(stored, static_cast<double>(on_disk), 0.05 * static_cast<double>(on_disk));
  EXPECT_NE(on_store({"stats"}).out.find("ratio"), std::string::npos);
}

TEST_F(CliStore, RemoveTakesNamesAllOrNone) {
  const Outcome none = on_store({"remove", "a", "absent"});
  EXPECT_EQ(none.exit, 1);
  EXPECT_EQ(on_store({"list", "--names"}).out, "a.nar\nb.nar\n");
  const Outcome done = on_store({"remove", "--json", "a", "a.nar"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.out, "{\"kind\":\"removed\",\"name\":\"a.nar\"}\n");
  EXPECT_EQ(on_store({"list", "--names"}).out, "b.nar\n");
  EXPECT_EQ(on_store({"restore", "a", "-o", "-"}).exit, 1);
}

TEST_F(CliStore, RemoveDoesNotTakeHashes) {
  const Json nar = object_of_kind(on_store({"list", "--json"}).out, "nar");
  const Outcome refused = on_store({"remove", nar.at("nar_sha256")});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_NE(refused.err.find("a.nar"), std::string::npos) << refused.err;
}

TEST_F(CliStore, GcFreesWhatRemovedNarsHeld) {
  ASSERT_EQ(on_store({"remove", "a"}).exit, 0);
  const Json plan = object_of_kind(on_store({"gc", "--dry-run", "--json"}).out, "gc");
  EXPECT_EQ(plan.at("dry_run"), true);
  EXPECT_GT(plan.at("packs_removed"), 0);
  EXPECT_GT(plan.at("chunks_removed"), 0);
  EXPECT_TRUE(on_store({"gc", "--dry-run"}).out.starts_with("would delete or rewrite "));
  const Json done = object_of_kind(on_store({"gc", "--json"}).out, "gc");
  EXPECT_EQ(done.at("dry_run"), false);
  EXPECT_GT(done.at("chunks_removed"), 0);
  EXPECT_EQ(done.at("bytes_freed"), done.at("bytes_before").get<std::uint64_t>() -
                                        done.at("bytes_after").get<std::uint64_t>());
  EXPECT_GT(done.at("bytes_freed"), a_.size() / 4);
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
  EXPECT_EQ(on_store({"restore", "b", "-o", "-"}).out, b_);
  EXPECT_NE(on_store({"gc", "--garbage-min", "0"}).out.find("0 B of "), std::string::npos);
}

TEST_F(CliStore, VerifyOfASoundStoreSaysSo) {
  const Outcome done = on_store({"verify", "--content"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("no problem found: 2 NARs, ")) << done.out;
  const Json sum = object_of_kind(on_store({"verify", "--json"}).out, "summary");
  EXPECT_EQ(sum.at("ok"), true);
  EXPECT_EQ(sum.at("content"), false);
  EXPECT_EQ(sum.at("nars"), 2);
  EXPECT_EQ(sum.at("problems"), 0);
  EXPECT_EQ(sum.at("nars_damaged"), 0);
}

TEST_F(CliStore, VerifyFindsAFlippedByteAndExitsWithOne) {
  flip_a_byte_of(a_pack());
  const Outcome done = on_store({"verify", "--content", "--json"});
  EXPECT_EQ(done.exit, 1);
  const Json sum = object_of_kind(done.out, "summary");
  EXPECT_EQ(sum.at("ok"), false);
  EXPECT_GT(sum.at("problems"), 0);
  EXPECT_EQ(sum.at("nars_damaged"), 1);
  const Json problem = object_of_kind(done.out, "problem");
  EXPECT_FALSE(problem.at("cure").get<std::string>().empty());
  EXPECT_NE(done.err.find("verify --content --repair"), std::string::npos) << done.err;
}

TEST_F(CliStore, WhatToDoAboutDamageIsSaidOnce) {
  std::string pack = read_file(a_pack());
  for (std::size_t at = 100; at < pack.size() / 2; at += 1000) pack[at] ^= 1;
  fs::permissions(a_pack(), fs::perms::owner_write, fs::perm_options::add);
  write_file(a_pack(), pack);
  const Outcome done = on_store({"verify", "--content"});
  const auto count = [&](std::string_view text) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = done.err.find(text, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_GT(count("chunker: "), 1U) << done.err;
  EXPECT_EQ(count("verify --content --repair"), 1U) << done.err;
  const Outcome repaired = on_store({"verify", "--content", "--repair"});
  EXPECT_NE(repaired.err.find("ingested again, the store is whole"), std::string::npos)
      << repaired.err;
}

TEST_F(CliStore, DamageIsNeverRestored) {
  flip_a_byte_of(a_pack());
  const Outcome done = on_store({"restore", "--all", "--output-dir", "out"});
  EXPECT_EQ(done.exit, 1);
  std::size_t restored = 0;
  for (const auto& entry : fs::directory_iterator(path("out"))) {
    const std::string found = read_file(entry.path());
    EXPECT_TRUE(found == a_ || found == b_) << entry.path();
    ++restored;
  }
  EXPECT_EQ(restored, 1U);
}

TEST_F(CliStore, AMissingPackIsNamed) {
  fs::remove(a_pack());
  const Outcome done = on_store({"verify"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.out.find("cannot be restored"), std::string::npos) << done.out;
  EXPECT_NE(done.err.find("chunker: "), std::string::npos) << done.err;
}

TEST_F(CliStore, RepairingAndIngestingAgainHeals) {
  const std::string pack = fs::relative(a_pack(), store());
  flip_a_byte_of(a_pack());
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 1);
  const Outcome repaired = on_store({"verify", "--content", "--repair", "--json"});
  EXPECT_EQ(repaired.exit, 1);
  const Json sum = object_of_kind(repaired.out, "summary");
  EXPECT_EQ(sum.at("packs_set_aside"), 1);
  EXPECT_GT(sum.at("chunks_lost"), 0);
  EXPECT_EQ(sum.at("nars_damaged"), 1);
  EXPECT_FALSE(object_of_kind(repaired.out, "note").at("message").get<std::string>().empty());
  EXPECT_TRUE(fs::exists(fs::path(store()) / "damaged" / pack));
  std::string damaged;
  for (const Json& object : objects_of(repaired.out)) {
    if (object.at("kind") == "problem" &&
        object.at("message").get<std::string>().starts_with("ingest this NAR again")) {
      damaged = object.at("context").get<std::string>().substr(0, 5);
    }
  }
  ASSERT_TRUE(damaged == "a.nar" || damaged == "b.nar") << repaired.out;
  ingest(damaged);
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
  EXPECT_EQ(on_store({"restore", "a", "-o", "-"}).out, a_);
  EXPECT_EQ(on_store({"restore", "b", "-o", "-"}).out, b_);
}

TEST_F(CliStore, RepairingWithoutDamageSaysSo) {
  const Outcome done = on_store({"verify", "--content", "--repair"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_NE(done.out.find("set aside: 0 packs"), std::string::npos) << done.out;
  EXPECT_EQ(on_store({"verify", "--repair"}).exit, 2);
}

TEST_F(CliStore, RebuildIndexSaysWhatAMissingPackTook) {
  fs::remove(a_pack());
  const Outcome done = on_store({"rebuild-index", "--json"});
  EXPECT_EQ(done.exit, 1);
  const Json report = object_of_kind(done.out, "rebuild_index");
  EXPECT_EQ(report.at("compared"), true);
  EXPECT_EQ(report.at("packs_missing"), 1);
  EXPECT_GT(report.at("chunks_lost"), 0);
  EXPECT_EQ(report.at("nars"), 2);
  EXPECT_GT(report.at("nars_damaged"), 0);
  EXPECT_EQ(object_of_kind(done.out, "problem").at("code"), "store_chunk_missing");
  const Outcome restored = on_store({"restore", "--all", "--output-dir", "out"});
  EXPECT_EQ(restored.exit, 1);
  ingest("a.nar");
  ingest("b.nar");
  EXPECT_EQ(on_store({"rebuild-index"}).exit, 0);
  EXPECT_EQ(on_store({"restore", "a", "-o", "-"}).out, a_);
}

// What is missing is damage, also where no NAR needs it by now.
TEST_F(CliStore, RebuildIndexEndsWithOneWhereAnyPackIsMissing) {
  const fs::path of_one = a_pack();
  for (const char* name : {"a", "b"}) EXPECT_EQ(on_store({"remove", name}).exit, 0);
  fs::remove(of_one);
  const Outcome done = on_store({"rebuild-index", "--json"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_EQ(object_of_kind(done.out, "rebuild_index").at("packs_missing"), 1);
  EXPECT_EQ(object_of_kind(done.out, "rebuild_index").at("nars_damaged"), 0);
  EXPECT_EQ(on_store({"rebuild-index"}).exit, 0) << "told once";
}

TEST_F(CliStore, RebuildIndexMakesALostIndexAnew) {
  fs::remove_all(store() + "/index");
  const Json done = object_of_kind(on_store({"rebuild-index", "--json"}).out, "rebuild_index");
  EXPECT_EQ(done.at("nars"), 2);
  EXPECT_EQ(done.at("packs_damaged"), 0);
  EXPECT_GT(done.at("chunks"), 0);
  EXPECT_EQ(on_store({"restore", "a", "-o", "-"}).out, a_);
  EXPECT_TRUE(on_store({"rebuild-index"}).out.starts_with("index made from "));
}

TEST_F(CliStore, TheCureOfABrokenIndexCuresIt) {
  const auto expect_cured = [this] {
    const Outcome broken = on_store({"list"});
    EXPECT_EQ(broken.exit, 1);
    EXPECT_NE(broken.err.find("\n  Run `chunker rebuild-index`"), std::string::npos) << broken.err;
    EXPECT_EQ(broken.err.find("--repair"), std::string::npos) << broken.err;
    EXPECT_EQ(on_store({"rebuild-index"}).exit, 0);
    EXPECT_EQ(on_store({"list", "--names"}).out, "a.nar\nb.nar\n");
  };
  write_file(store() + "/index/CURRENT", "garbage");
  expect_cured();
  fs::remove_all(store() + "/index");
  expect_cured();
}

TEST_F(CliStore, TheCureOfABrokenDescriptionCuresIt) {
  for (const char* broken : {"", "garbage\n", "chunker-store 1\nlayout\n", "chunker-store 1\n"}) {
    write_file(store() + "/chunker.store", broken);
    for (const char* command : {"list", "verify", "gc", "rebuild-index"}) {
      const Outcome refused = on_store({command});
      EXPECT_EQ(refused.exit, 1) << command;
      EXPECT_NE(refused.err.find("write its four lines again"), std::string::npos) << refused.err;
      EXPECT_EQ(refused.err.find("--repair"), std::string::npos) << refused.err;
    }
    write_file(store() + "/chunker.store",
               "chunker-store 1\nlayout packs\nhash blake3\nid 00112233445566778899aabbccddeeff\n");
    EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
    EXPECT_EQ(on_store({"restore", "a", "-o", "-"}).out, a_);
  }
}

TEST_F(CliStore, WhereNoStoreIsNoneIsMade) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{"list"},
                                                  {"stats"},
                                                  {"verify"},
                                                  {"gc"},
                                                  {"rebuild-index"},
                                                  {"remove", "a"},
                                                  {"restore", "a"}}) {
    auto arguments = command;
    arguments.insert(arguments.end(), {"--store", path("nothing")});
    const Outcome done = chunker(arguments);
    EXPECT_EQ(done.exit, 1) << command.front() << done.err;
    EXPECT_NE(done.err.find("nothing"), std::string::npos) << done.err;
    EXPECT_FALSE(fs::exists(path("nothing"))) << command.front();
  }
}

}  // namespace
}  // namespace chunker::test
