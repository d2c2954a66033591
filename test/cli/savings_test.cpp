#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "chunker/store.hpp"
#include "cli/bar_table.hpp"
#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

// References, deltas and ranges, and the pictures that show where bytes go.
class CliSavings : public CliTest {
 protected:
  static constexpr std::size_t kMegabyte = 1 << 20;

  /// A script of about a megabyte that names a store path in many places.
  static std::string script(char hash_letter, const std::string& prefix = "/nix/store/") {
    std::string text;
    for (std::uint64_t seed = 0; text.size() < kMegabyte; ++seed) {
      text += random_text(seed, 9000) + prefix + std::string(32, hash_letter) + "-sed/bin/sed\n";
    }
    return text;
  }
  void write_nar(const std::string& name, const std::vector<FileOfNar>& files) const {
    write_file(path(name), make_nar(files));
  }
  /// What ingest says of one NAR.
  [[nodiscard]] Json ingested(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ingest", "--json"});
    const Outcome done = on_store(words);
    EXPECT_EQ(done.exit, 0) << done.err;
    return object_of_kind(done.out, "nar");
  }
  [[nodiscard]] Json stats() const {
    return object_of_kind(on_store({"stats", "--json"}).out, "stats");
  }
};

// Content, and the same with a few bytes changed in each chunk.
std::string edited(std::string text) {
  for (std::size_t at = 5000; at < text.size(); at += 50000) text.replace(at, 4, "EDIT");
  return text;
}

TEST_F(CliSavings, ARebuildWithOtherReferencesHasNoNewChunks) {
  write_nar("a.nar", {{"script", script('a')}});
  write_nar("b.nar", {{"script", script('b')}});
  EXPECT_GT(ingested({"a.nar"}).at("references"), 50);
  const Outcome done = on_store({"ingest", "--json", "b.nar"});
  EXPECT_EQ(object_of_kind(done.out, "nar").at("new_chunks"), 0);
  EXPECT_GT(object_of_kind(done.out, "summary").at("references"), 50);
  EXPECT_EQ(on_store({"restore", "b", "-o", "-"}).out, read_file(path("b.nar")));
}

TEST_F(CliSavings, ReferencesStayInTheDataIfWanted) {
  write_nar("a.nar", {{"script", script('a')}});
  write_nar("b.nar", {{"script", script('b')}});
  EXPECT_EQ(ingested({"--no-references", "a.nar"}).at("references"), 0);
  EXPECT_GT(ingested({"--no-references", "b.nar"}).at("new_chunks"), 0);
}

TEST_F(CliSavings, AStoreElsewhereHasItsOwnPrefix) {
  write_nar("a.nar", {{"script", script('a', "/gnu/store/")}});
  EXPECT_EQ(ingested({"a.nar"}).at("references"), 0);
  EXPECT_GT(ingested({"--store-prefix", "/gnu/store/", "a.nar"}).at("references"), 50);
}

TEST_F(CliSavings, CutShowsTheVeryChunksThatAStoreHolds) {
  write_nar("a.nar", {{"guile", script('a', "/gnu/store/")}, {"script", script('a')}});
  std::vector<std::vector<std::string>> seen;
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{}, {"--no-references"}, {"--store-prefix", "/gnu/store/"}}) {
    std::filesystem::remove_all(store());
    auto words = flags;
    words.push_back("a.nar");
    const Json nar = ingested(words);
    words.insert(words.begin(), {"cut", "--json"});
    const Outcome done = chunker(words);
    EXPECT_EQ(object_of_kind(done.out, "file").at("references"), nar.at("references"));
    std::vector<std::string> shown;
    for (const Json& object : objects_of(done.out)) {
      if (object.at("kind") == "chunk") shown.push_back(object.at("digest"));
    }
    std::vector<std::string> held;
    const auto opened = Store::open(store());
    ASSERT_TRUE(opened);
    const auto found = opened->find("a.nar");
    ASSERT_TRUE(found);
    const auto manifest = opened->manifest(found->nar_sha256);
    ASSERT_TRUE(manifest);
    for (const ChunkReference& chunk : manifest->chunks) held.push_back(chunk.digest.hex());
    EXPECT_EQ(shown, held);
    seen.push_back(shown);
  }
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[0], seen[2]);
}

TEST_F(CliSavings, APrefixThatIsNoneIsRefusedBeforeAnythingIsMade) {
  add_nar("a.nar");
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--store-prefix", "nix"},
                                                {"--store-prefix", "/nix/store"},
                                                {"--store-prefix", ""},
                                                {"--store-prefix", "/x/", "--no-references"}}) {
    auto words = flags;
    words.insert(words.begin(), {"ingest", "a.nar"});
    const Outcome done = on_store(words);
    EXPECT_EQ(done.exit, 2) << done.err;
    EXPECT_FALSE(std::filesystem::exists(store()));
  }
}

TEST_F(CliSavings, ANewVersionIsKeptAsDeltasUnlessUnwanted) {
  const std::string text = random_text(1, 2 * kMegabyte);
  write_nar("hello-1.0.nar", {{"text", text}});
  write_nar("hello-1.1.nar", {{"text", edited(text)}});
  EXPECT_EQ(ingested({"hello-1.0.nar"}).at("delta_raw_bytes"), 0);
  const Outcome whole = chunker({"ingest", "--json", "--no-deltas", "--store", "whole",
                                 "hello-1.0.nar", "hello-1.1.nar", "--threads", "1"});
  EXPECT_EQ(object_of_kind(whole.out, "summary").at("delta_raw_bytes"), 0);
  const Outcome words =
      chunker({"ingest", "--store", "whole", "--name", "hello-1.2.nar", "hello-1.1.nar"});
  EXPECT_NE(words.out.find("\nof 2.0 MiB: 2.0 MiB duplicates\n"), std::string::npos) << words.out;
  write_nar("hello-1.3.nar", {{"text", edited(text).substr(kMegabyte / 2)}});
  const Json delta = ingested({"hello-1.1.nar"});
  EXPECT_GT(delta.at("delta_raw_bytes"), kMegabyte);
  EXPECT_LT(delta.at("delta_stored_bytes").get<std::uint64_t>(),
            delta.at("delta_raw_bytes").get<std::uint64_t>() / 10);
  const Outcome said = on_store({"ingest", "hello-1.3.nar"});
  EXPECT_NE(said.out.find(" as deltas of "), std::string::npos) << said.out;
}

void expect_parts_add_up(const Json& stats) {
  const auto at = [&stats](const char* field) { return stats.at(field).get<std::uint64_t>(); };
  EXPECT_EQ(at("logical_bytes") - at("duplicate_bytes") + at("surplus_bytes"),
            at("unique_raw_bytes"));
  EXPECT_EQ(at("delta_raw_bytes") + at("compressed_raw_bytes") + at("uncompressed_bytes"),
            at("unique_raw_bytes"));
  EXPECT_EQ(at("delta_stored_bytes") + at("compressed_stored_bytes") + at("uncompressed_bytes") +
                at("manifest_bytes") + at("index_bytes") + at("other_bytes") - at("missing_bytes"),
            at("stored_bytes"));
  EXPECT_EQ(at("missing_bytes"), 0);
  EXPECT_LT(at("other_bytes"), 64 << 10) << "frames are counted whole, whatever shares them";
}

TEST_F(CliSavings, ThePartsOfAStoreAddUpAndMove) {
  const std::string text = random_text(1, 2 * kMegabyte);
  write_nar("hello-1.0.nar", {{"text", text}});
  ingest("hello-1.0.nar");
  const Json first = stats();
  expect_parts_add_up(first);
  EXPECT_EQ(first.at("delta_raw_bytes"), 0);
  EXPECT_GT(first.at("compressed_raw_bytes"), 2 * kMegabyte);

  ASSERT_EQ(on_store({"ingest", "-q", "--name", "again", "hello-1.0.nar"}).exit, 0);
  const Json duplicate = stats();
  expect_parts_add_up(duplicate);
  EXPECT_GT(duplicate.at("duplicate_bytes"), 2 * kMegabyte - 4096) << "but for pieces of manifests";
  EXPECT_EQ(duplicate.at("unique_raw_bytes"), first.at("unique_raw_bytes"));

  write_nar("hello-1.1.nar", {{"text", edited(text)}});
  ingest("hello-1.1.nar");
  const Json delta = stats();
  expect_parts_add_up(delta);
  EXPECT_GT(delta.at("delta_raw_bytes"), kMegabyte);
  EXPECT_LT(delta.at("delta_stored_bytes"), kMegabyte / 10);
  EXPECT_GT(delta.at("manifest_bytes"), first.at("manifest_bytes"));

  write_nar("noise.nar", {{"noise", random_bytes(1, kMegabyte)}});
  ingest("noise.nar");
  const Json noise = stats();
  expect_parts_add_up(noise);
  EXPECT_GE(noise.at("uncompressed_bytes").get<std::uint64_t>(),
            delta.at("uncompressed_bytes").get<std::uint64_t>() + kMegabyte);

  for (const char* name : {"hello-1.0", "again", "hello-1.1"}) {
    ASSERT_EQ(on_store({"remove", name}).exit, 0);
  }
  const Json garbage = stats();
  expect_parts_add_up(garbage);
  EXPECT_GT(garbage.at("surplus_bytes"), 2 * kMegabyte);
}

TEST_F(CliSavings, StatsSayInWordsAndPicturesWhereTheBytesWent) {
  const std::string text = random_text(1, 2 * kMegabyte);
  write_nar("hello-1.0.nar", {{"text", text}});
  write_nar("hello-1.1.nar", {{"text", edited(text)}});
  write_nar("noise.nar", {{"noise", random_bytes(1, kMegabyte)}});
  for (const char* name : {"hello-1.0.nar", "hello-1.1.nar", "noise.nar"}) ingest(name);
  ASSERT_EQ(on_store({"ingest", "-q", "--name", "again", "noise.nar"}).exit, 0);
  const std::string out = on_store({"stats"}).out;
  for (const char* words :
       {"  content  ", "  duplicates  ", "  deltas  ", "  compression  ", "  stored  ",
        "are kept once: about ", "is kept as what differs", " is compressed to ",
        "1.0 MiB would not get smaller", "  as it is  ", "  manifests  ", "  index  "}) {
    EXPECT_NE(out.find(words), std::string::npos) << words << "\n" << out;
  }
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST_F(CliSavings, MissingPacksAreSaidByStats) {
  add_nar("a.nar");
  ingest("a.nar");
  std::filesystem::remove_all(store() + "/packs");
  EXPECT_GT(stats().at("missing_bytes"), 0);
  EXPECT_NE(on_store({"stats"}).out.find("`chunker verify` tells more"), std::string::npos);
}

TEST_F(CliSavings, DiffTellsReferencesFromNews) {
  const std::string common = random_bytes(7, kMegabyte);
  const auto write = [&](const char* name, char letter, std::uint64_t seed) {
    write_nar(name,
              {{"a", common}, {"news", random_bytes(seed, kMegabyte)}, {"s", script(letter)}});
  };
  write("a.nar", 'a', 1);
  write("b.nar", 'b', 2);
  const auto expect_parts = [](const Json& b) {
    EXPECT_GE(b.at("references_only_bytes"), kMegabyte);
    EXPECT_LT(b.at("references_only_bytes"), kMegabyte + 65536);
    EXPECT_GE(b.at("shared_bytes"), 2 * kMegabyte);
    EXPECT_GE(b.at("unique_bytes"), kMegabyte);
    EXPECT_LT(b.at("unique_bytes"), kMegabyte + 65536);
    EXPECT_GT(b.at("references"), 50);
    EXPECT_EQ(b.at("shared_bytes").get<std::uint64_t>() +
                  b.at("unique_bytes").get<std::uint64_t>() +
                  b.at("repeated_bytes").get<std::uint64_t>(),
              b.at("bytes"));
  };
  const Outcome files = chunker({"diff", "--json", "a.nar", "b.nar"});
  expect_parts(object_of_kind(files.out, "diff").at("b"));
  ingest("a.nar");
  ingest("b.nar");
  std::filesystem::rename(path("b.nar"), path("moved"));
  const Json stored = object_of_kind(on_store({"diff", "--json", "a", "b"}).out, "diff").at("b");
  EXPECT_EQ(stored.at("stored"), true);
  expect_parts(stored);
  const Json mixed = object_of_kind(on_store({"diff", "--json", "a", "moved"}).out, "diff");
  EXPECT_EQ(mixed.at("b").at("stored"), false);
  expect_parts(mixed.at("b"));
  const Json raw =
      object_of_kind(chunker({"diff", "--json", "--no-references", "moved", "a.nar"}).out, "diff");
  EXPECT_EQ(raw.at("b").at("references_only_bytes"), 0);
  EXPECT_GE(raw.at("b").at("unique_bytes"), 2 * kMegabyte);

  const std::string out = on_store({"diff", "a", "b"}).out;
  for (const char* words : {"  the same in A  ", "  other references  ", "  new  ",
                            "is in A but for store hashes", "is new; the store keeps it"}) {
    EXPECT_NE(out.find(words), std::string::npos) << words << "\n" << out;
  }
}

TEST_F(CliSavings, DiffSaysWhatDeltasTake) {
  const std::string text = random_text(1, 2 * kMegabyte);
  write_nar("hello-1.0.nar", {{"text", text}});
  write_nar("hello-1.1.nar", {{"text", edited(text)}});
  ingest("hello-1.0.nar");
  ingest("hello-1.1.nar");
  const std::vector<std::string> words{"diff", "hello-1.0", "hello-1.1"};
  const std::string out = on_store(words).out;
  EXPECT_NE(out.find(" is kept as deltas, which take about "), std::string::npos) << out;
  const Json b =
      object_of_kind(on_store({"diff", "--json", words[1], words[2]}).out, "diff").at("b");
  EXPECT_GT(b.at("unique_delta_raw_bytes"), kMegabyte);
  EXPECT_LT(b.at("unique_delta_stored_bytes"), kMegabyte / 10);
  EXPECT_LE(b.at("unique_delta_stored_bytes"), b.at("unique_stored_bytes"));
  const Outcome same = on_store({"diff", "hello-1.0", "hello-1.0"});
  EXPECT_NE(same.out.find("Nothing in B is new."), std::string::npos) << same.out;
}

TEST_F(CliSavings, ARangeIsThatPartOfTheNar) {
  write_nar("a.nar", {{"script", script('a')}, {"x", random_bytes(1, kMegabyte)}});
  ingest("a.nar");
  const std::string nar = read_file(path("a.nar"));
  EXPECT_EQ(on_store({"restore", "a", "--range", "9K:4KiB", "-o", "-"}).out,
            nar.substr(9 << 10, 4 << 10));
  EXPECT_EQ(on_store({"restore", "a", "--range", "0:0", "-o", "-"}).exit, 0);
  const std::string all = "0:" + std::to_string(nar.size());
  const Outcome done = on_store({"restore", "a", "--json", "--range", all, "-o", "out"});
  EXPECT_EQ(read_file(path("out")), nar);
  EXPECT_EQ(object_of_kind(done.out, "restored").at("range_offset_bytes"), 0);
  EXPECT_EQ(object_of_kind(done.out, "restored").at("range_bytes"), nar.size());
}

TEST_F(CliSavings, RangesThatCannotBeMeantAreSaid) {
  add_nar("a.nar");
  ingest("a.nar");
  for (const char* range : {"5", "x:1", "1:", ":1", "-1:5", "0:1:2", "0:900G", "900G:0", "1:1Q"}) {
    const Outcome done = on_store({"restore", "a", "--range", range, "-o", "out"});
    EXPECT_EQ(done.exit, 2) << range;
    EXPECT_NE(done.err.find("--range"), std::string::npos) << done.err;
    EXPECT_FALSE(std::filesystem::exists(path("out")));
  }
  EXPECT_EQ(on_store({"restore", "a", "--range", "0:1"}).exit, 2);
  EXPECT_EQ(on_store({"restore", "a", "--tree", "--range", "0:1", "-o", "out"}).exit, 2);
  EXPECT_EQ(on_store({"restore", "--all", "--range", "0:1", "--output-dir", "out"}).exit, 2);
}

TEST_F(CliSavings, GcSaysThatItWaitsForReaders) {
  const std::string nar = add_nar("a.nar");
  add_nar("b.nar", 2);
  ingest("a.nar");
  ingest("b.nar");
  ASSERT_EQ(on_store({"remove", "b"}).exit, 0);
  Running reader({"restore", "--store", store(), "a", "-o", "-"});
  ASSERT_TRUE(reader.wait_for("nix-archive-1"));  // and blocked by a pipe that nobody reads
  Running gc({"gc", "--store", store()});
  std::this_thread::sleep_for(std::chrono::milliseconds(1700));
  EXPECT_EQ(reader.finish().out, nar);
  const Outcome done = gc.finish();
  EXPECT_EQ(done.exit, 0) << done.err;
  const auto waiting = done.err.find("waiting for other processes that read the store");
  const auto going_on = done.err.find("they are done; going on");
  EXPECT_NE(waiting, std::string::npos) << done.err;
  EXPECT_NE(going_on, std::string::npos) << done.err;
  EXPECT_LT(waiting, going_on);
}

TEST(CliBarTable, StepsLeadFromOneAmountToTheOther) {
  cli::Staircase steps("all", 1000);
  steps.step("less", 900, 400);
  steps.step("none", 0, 0);
  steps.step("more", 0, 250);
  EXPECT_EQ(std::move(steps).finish("left"),
            "  all                    1000 B  100.0 %  ######################################\n"
            "  less                    500 B   50.0 %                     -------------------\n"
            "  more                    250 B   25.0 %                     ++++++++++\n"
            "  left                    750 B   75.0 %  #############################");
}

TEST(CliBarTable, WhatIsThereIsSeenHoweverLittle) {
  cli::BarTable table(1 << 30);
  table.add("all", 0, 1 << 30, '#');
  table.add("little", (1 << 30) - 1, 1 << 30, '+');
  EXPECT_TRUE(table.text().ends_with("  " + std::string(37, ' ') + "+")) << table.text();
}

}  // namespace
}  // namespace chunker::test
