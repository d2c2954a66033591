#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

class CliBench : public CliTest {
 protected:
  CliBench() { fs::create_directory(path("place")); }

  [[nodiscard]] Surroundings in_place() const {
    return {.environment = {{"TMPDIR", path("place").string()}}};
  }
  [[nodiscard]] bool place_is_empty() const { return fs::is_empty(path("place")); }
};

TEST_F(CliBench, R19_4_EveryStageHasPeakAverageAndDeviation) {
  const Outcome outcome = chunker({"bench", "--json", "--runs", "3", "--sample", "3M"}, in_place());
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  std::set<std::string> ways;
  for (const Json& speed : objects_of(outcome.out)) {
    if (speed.at("kind") != "speed") continue;
    const std::string way =
        speed.at("stage").get<std::string>() + " " + speed.at("way").get<std::string>();
    EXPECT_TRUE(ways.insert(way).second) << way;
    EXPECT_EQ(speed.at("runs"), 3) << way;
    EXPECT_GE(speed.at("bytes"), 3 << 20) << way;
    EXPECT_GT(speed.at("average_gb_per_second"), 0) << way;
    EXPECT_GE(speed.at("peak_gb_per_second"), speed.at("average_gb_per_second")) << way;
    EXPECT_GE(speed.at("deviation_gb_per_second"), 0) << way;
  }
  for (const char* way :
       {"cut scalar", "cut NARs, blind", "cut NARs, aligned", "hash blake3, one by one",
        "hash blake3, together", "hash sha256, one by one", "hash sha256, together",
        "hash sha256, whole NARs", "compress zstd", "decompress zstd", "compress lz4",
        "decompress lz4", "ingest new", "ingest known", "restore into files"}) {
    EXPECT_TRUE(ways.contains(way)) << way;
  }
  const Json latency = object_of_kind(outcome.out, "latency");
  EXPECT_EQ(latency.at("count"), 9);
  EXPECT_GT(latency.at("median_us"), 0);
  EXPECT_GE(latency.at("p99_us"), latency.at("median_us"));
  EXPECT_GE(latency.at("longest_us"), latency.at("p99_us"));
  EXPECT_TRUE(place_is_empty());
}

TEST_F(CliBench, R19_4_TheTableSaysWhatItsNumbersAre) {
  add_nar("a.nar", 1, 1'500'000);
  const Outcome outcome = chunker({"bench", "--runs", "1", "a.nar"}, in_place());
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::ContainsRegex("peak +average +deviation +GB/s"));
  EXPECT_THAT(outcome.out,
              testing::ContainsRegex("\nrestore +into files +[0-9.]+ +[0-9.]+ +0.000"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("1 file; 1 run"));
  EXPECT_THAT(outcome.out, testing::ContainsRegex("99 % within +[0-9.]+ ms"));
  EXPECT_TRUE(place_is_empty());
}

TEST_F(CliBench, OnlyTheStagesThatWereAskedFor) {
  const std::string nar = add_nar("a.nar", 1, 300'000);
  const Outcome outcome =
      chunker({"bench", "--json", "--runs", "1", "--stage", "cut", "--stage", "hash", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(object_of_kind(outcome.out, "speed").at("bytes"), nar.size());
  for (const Json& speed : objects_of(outcome.out)) {
    EXPECT_THAT(speed.at("stage"), testing::AnyOf("cut", "hash"));
  }
}

TEST_F(CliBench, ASignalEndsItAndNothingStays) {
  for (const char* stage : {"store", "code"}) {
    Running program({"bench", "--runs", "1000", "--stage", stage, "--sample", "64M", "--directory",
                     path("place").string()});
    EXPECT_TRUE(program.wait_for("deviation"));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto begin = std::chrono::steady_clock::now();
    program.send(SIGINT);
    EXPECT_EQ(program.finish().exit, 128 + SIGINT) << stage;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    EXPECT_TRUE(place_is_empty()) << stage;
  }
}

TEST_F(CliBench, FilesThatDoNotFitAreLeftOutAndSaid) {
  add_nar("small.nar", 1, 100'000);
  add_nar("large.nar", 2, 3 << 20);
  const Outcome some = chunker({"bench", "--json", "--stage", "cut", "--runs", "1", "--sample",
                                "1M", "large.nar", "small.nar"});
  EXPECT_EQ(some.exit, 0) << some.err;
  EXPECT_THAT(some.err, testing::HasSubstr("1 file left out"));
  EXPECT_EQ(object_of_kind(some.out, "speed").at("bytes"), fs::file_size(path("small.nar")));
  const Outcome none = chunker({"bench", "--sample", "1M", "large.nar"});
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, testing::HasSubstr("large.nar"));
}

TEST_F(CliBench, SmallNarsHaveNoLatencyOfAMegabyte) {
  add_nar("small.nar", 1, 1000);
  const Outcome outcome = chunker({"bench", "--stage", "latency", "--runs", "1", "small.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("no latencies"));
}

TEST_F(CliBench, MistakesAreSaid) {
  write_file(path("text"), "this is no NAR");
  EXPECT_EQ(chunker({"bench", "--sample", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "--runs", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "--stage", "dream"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "absent.nar"}).exit, 1);
  EXPECT_EQ(chunker({"bench", "place"}).exit, 2);
  const Outcome no_nar = chunker({"bench", "text"});
  EXPECT_EQ(no_nar.exit, 2);
  EXPECT_THAT(no_nar.err, testing::HasSubstr("only NARs"));
  const Outcome nowhere = chunker({"bench", "--stage", "store", "--sample", "1M", "--runs", "1",
                                   "--directory", path("nowhere").string()});
  EXPECT_EQ(nowhere.exit, 1);
  EXPECT_THAT(nowhere.err, testing::HasSubstr("nowhere"));
}

}  // namespace
}  // namespace chunker::test
