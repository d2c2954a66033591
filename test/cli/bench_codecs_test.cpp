#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

class CliBenchCodecs : public CliTest {};

TEST_F(CliBenchCodecs, R22_4_CodecsAndStrategiesAreInOneTable) {
  add_nar("a.nar", 1, 300'000);
  const Outcome outcome = chunker({"bench", "codecs", "--runs", "1", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  for (const char* name : {"none", "zstd", "zstd_x86", "balanced", "smallest", "adaptive", "auto"})
    EXPECT_THAT(outcome.out, testing::HasSubstr(std::string("\n") + name + " ")) << name;
  EXPECT_THAT(outcome.out, testing::HasSubstr("ratio"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("decompress"));
}

TEST_F(CliBenchCodecs, R22_4_JsonHasAnObjectForEach) {
  const std::string nar = add_nar("a.nar", 1, 300'000);
  const Outcome outcome = chunker({"bench", "codecs", "--json", "--runs", "1", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  double zstd_ratio = 0, balanced_ratio = 0;
  for (const Json& object : objects_of(outcome.out)) {
    EXPECT_EQ(object.at("raw_bytes"), nar.size());
    EXPECT_GT(object.at("compress_mb_per_second"), 0);
    EXPECT_GT(object.at("decompress_mb_per_second"), 0);
    if (object.at("name") == "zstd") zstd_ratio = object.at("ratio");
    if (object.at("name") == "balanced") balanced_ratio = object.at("ratio");
    EXPECT_THAT(object.at("kind"), testing::AnyOf("codec", "strategy"));
  }
  EXPECT_GE(zstd_ratio, 1);
  EXPECT_GE(balanced_ratio, zstd_ratio * 0.99);
}

TEST_F(CliBenchCodecs, TakesASampleOfTheFiles) {
  add_nar("a.nar", 1, 3 << 20);
  const Outcome outcome =
      chunker({"bench", "codecs", "--json", "--runs", "1", "--sample", "1M", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  const auto bytes = object_of_kind(outcome.out, "codec").at("raw_bytes").get<std::uint64_t>();
  EXPECT_GT(bytes, 100'000U);
  EXPECT_LE(bytes, 2U << 20);
}

TEST_F(CliBenchCodecs, MistakesAreSaid) {
  EXPECT_EQ(chunker({"bench", "codecs", "--sample", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "codecs", "--runs", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "codecs", "absent.nar"}).exit, 1);
}

TEST_F(CliBenchCodecs, ASampleIsOneOfFiles) {
  const Outcome outcome = chunker({"bench", "codecs", "--runs", "1", "--sample", "1M"});
  EXPECT_EQ(outcome.exit, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, testing::HasSubstr("--sample requires FILE"));
}

TEST_F(CliBenchCodecs, WhatHasNoContentToMeasureIsRefused) {
  write_file(path("empty"), "");
  std::filesystem::create_directory(path("folder"));
  for (const auto& [file, reason] :
       {std::pair("empty", "nothing to measure"), std::pair("folder", "no directories")}) {
    const Outcome outcome = chunker({"bench", "codecs", "--runs", "1", file});
    EXPECT_EQ(outcome.exit, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, testing::HasSubstr(reason));
    EXPECT_THAT(outcome.err, testing::HasSubstr(file));
  }
  add_nar("a.nar", 1, 100'000);
  EXPECT_EQ(chunker({"bench", "codecs", "--runs", "1", "empty", "a.nar"}).exit, 0);
}

TEST_F(CliBenchCodecs, ASignalEndsTheReadingOfFiles) {
  write_file(path("zeros"), "");
  std::filesystem::resize_file(path("zeros"),
                               std::uintmax_t{256} << 30);  // Takes no room, but minutes.
  for (const int signal : {SIGINT, SIGTERM}) {
    Running program({"bench", "codecs", path("zeros")});
    ::usleep(300'000);  // It reads by now.
    const auto begin = std::chrono::steady_clock::now();
    program.send(signal);
    EXPECT_EQ(program.finish().exit, 128 + signal);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  }
}

}  // namespace
}  // namespace chunker::test
