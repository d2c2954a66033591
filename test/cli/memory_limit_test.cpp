#include "cli/cli_fixture.hpp"
#include "support/sanitizers.hpp"

namespace chunker::test {
namespace {

using CliMemory = CliTest;

constexpr std::uint64_t kMiB = 1 << 20;

TEST_F(CliMemory, R9_3_WhatIsTooLittleOrNoSizeIsRefused) {
  add_nar("a.nar", 1);
  const Outcome little = on_store({"ingest", "--memory-limit", "16MiB", "a.nar"});
  EXPECT_EQ(little.exit, 75) << little.err;
  EXPECT_NE(little.err.find("bytes are needed"), std::string::npos) << little.err;
  EXPECT_NE(little.err.find("(memory_limit_exceeded)"), std::string::npos) << little.err;
  for (const std::string size : {"much", "0", "-1", "10X"}) {
    const Outcome wrong = on_store({"ingest", "--memory-limit", size, "a.nar"});
    EXPECT_EQ(wrong.exit, 2) << size;
    EXPECT_NE(wrong.err.find("--memory-limit"), std::string::npos) << wrong.err;
  }
}

TEST_F(CliMemory, R9_6_TheSumsTellHowMuchWasUsed) {
  add_nar("a.nar", 1, 4 << 20);
  const std::vector<std::pair<std::vector<std::string>, std::string>> commands{
      {{"ingest", "--json", "--memory-limit", "256M", "a.nar"}, "summary"},
      {{"restore", "--json", "--memory-limit", "256M", "--all", "--output-dir", "out"}, "summary"},
      {{"restore", "--json", "--memory-limit", "256M", "a.nar", "-o", "b.nar"}, "restored"},
      {{"verify", "--json", "--content", "--memory-limit", "256M"}, "summary"},
      {{"cut", "--json", "--memory-limit", "256M", "a.nar"}, "file"}};
  for (const auto& [command, kind] : commands) {
    const Outcome done = on_store(command);
    ASSERT_EQ(done.exit, 0) << done.err;
    const Json sum = object_of_kind(done.out, kind);
    EXPECT_EQ(sum.at("memory_limit_bytes"), 256 * kMiB);
    EXPECT_GT(sum.at("peak_usage_bytes"), 20 * kMiB) << command.front();
    EXPECT_LE(sum.at("peak_usage_bytes"), 256 * kMiB);
    EXPECT_LE(sum.at("current_usage_bytes"), sum.at("peak_usage_bytes"));
    EXPECT_GT(sum.at("allocation_count"), 1) << command.front();
  }
  const Outcome without = on_store({"verify", "--json"});
  EXPECT_FALSE(object_of_kind(without.out, "summary").contains("peak_usage_bytes"));
}

#ifndef CHUNKER_TEST_SANITIZED  // they have their own memory
TEST_F(CliMemory, R9_1_R9_3_TheProgramStaysWithinItsLimit) {
  add_nar("a.nar", 1, 60 << 20);
  add_nar("b.nar", 2, 60 << 20);
  const std::vector<std::vector<std::string>> commands{
      {"ingest", "-q", "--threads", "4", "--memory-limit", "128M", "a.nar", "b.nar"},
      {"restore", "-q", "--threads", "4", "--memory-limit", "96M", "--all", "--output-dir", "out"},
      {"verify", "-q", "--content", "--threads", "4", "--memory-limit", "96M"},
      {"cut", "-q", "--threads", "4", "--memory-limit", "96M", "a.nar", "b.nar"}};
  for (const auto& command : commands) {
    const Outcome done = on_store(command);
    EXPECT_EQ(done.exit, 0) << done.err;
    const std::uint64_t limit = (command.front() == "ingest" ? 128 : 96) * kMiB;
    EXPECT_LE(done.peak_bytes, limit + limit / 20) << command.front();
  }
}
#endif

}  // namespace
}  // namespace chunker::test
