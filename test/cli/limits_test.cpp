#include <sys/resource.h>

#include "cli/cli_fixture.hpp"
#include "support/sanitizers.hpp"

namespace chunker::test {
namespace {

// What the system denies: memory, threads, long files.
using CliLimits = CliTest;

#ifndef CHUNKER_TEST_SANITIZED  // they reserve terabytes
// Builds for debugging are so large that the loader itself may lack memory; the program has no say in that.
bool never_loaded(const Outcome& done) {
  return done.exit == 127 &&
         done.err.find("error while loading shared libraries") != std::string::npos;
}

TEST_F(CliLimits, WithoutMemoryOrThreadsItSaysSoAndNeverAborts) {
  add_nar("a.nar", 1, 4 << 20);
  ingest("a.nar");
  const std::vector<std::vector<std::string>> commands{
      {"list"},
      {"verify", "--content"},
      {"restore", "a.nar", "-o", "-"},
      {"ingest", "--threads", "64", "--name", "b.nar", "a.nar"},
      {"gc"},
      {"cut", "-q", "--threads", "64", "a.nar"}};
  int refused = 0;
  for (const std::uint64_t megabytes : {40U, 100U, 200U, 300U, 500U}) {
    for (const auto& command : commands) {
      const Outcome done = on_store(command, {.limits = {{RLIMIT_AS, megabytes << 20}}});
      EXPECT_EQ(done.signal, 0) << command.front() << " in " << megabytes << done.err;
      if (done.exit == 0 || never_loaded(done)) continue;
      ++refused;
      EXPECT_EQ(done.exit, 75) << command.front() << " in " << megabytes << done.err;
      EXPECT_NE(done.err.find("(memory_limit_exceeded)"), std::string::npos) << done.err;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}
#endif

#if !defined(CHUNKER_TEST_SANITIZED) && defined(NDEBUG)
// On two threads; each more has its own buffers.
TEST_F(CliLimits, NFR2_1_AHundredMegabytesTakeNoMoreThanFifty) {
  add_nar("a.nar", 1, 100 << 20);
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"ingest", "-q", "--threads", "2", "a.nar"},
           {"restore", "-q", "--threads", "2", "a.nar", "-o", "back.nar"}}) {
    const Outcome done = on_store(command);
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_LE(done.peak_bytes, 50U << 20) << command.front();
  }
}
#endif

TEST_F(CliLimits, ALimitOfFileSizesIsAFullDisk) {
  add_nar("a.nar", 1, 4 << 20);
  const Outcome done = on_store({"ingest", "a.nar"}, {.limits = {{RLIMIT_FSIZE, 1 << 20}}});
  EXPECT_EQ(done.signal, 0);
  EXPECT_EQ(done.exit, 75) << done.err;
  EXPECT_NE(done.err.find("File too large (io_no_space)"), std::string::npos) << done.err;
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliLimits, AFullDiskIsOneMessageAndAnObjectForEachSource) {
  for (unsigned i = 0; i < 3; ++i) add_nar(std::to_string(i) + ".nar", i, 4 << 20);
  const Outcome done = on_store({"ingest", "--json", "0.nar", "1.nar", "2.nar"},
                                {.limits = {{RLIMIT_FSIZE, 1 << 20}}});
  std::size_t errors = 0;
  for (const Json& object : objects_of(done.out)) errors += object.at("kind") == "error" ? 1U : 0U;
  EXPECT_EQ(errors, 3U) << done.out;
  EXPECT_EQ(object_of_kind(done.out, "summary").at("failed"), 3);
  EXPECT_EQ(done.err.find("(io_no_space)"), done.err.rfind("(io_no_space)")) << done.err;
}

}  // namespace
}  // namespace chunker::test
