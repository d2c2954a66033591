#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

// Terminals, pipes that break and signals.
using CliStreams = CliTest;

// Runs ingest of standard input, which comes slowly enough for progress to be seen.
Outcome ingest_slowly(const std::string& store, const std::string& nar, Surroundings around) {
  Running program({"ingest", "--store", store, "--name", "slow.nar", "-"}, around);
  const std::size_t piece = nar.size() / 8 + 1;
  for (std::size_t offset = 0; offset < nar.size(); offset += piece) {
    program.write(std::string_view(nar).substr(offset, piece));
    ::usleep(120000);
  }
  return program.finish();
}

TEST_F(CliStreams, ATerminalShowsProgressAndAPipeDoesNot) {
  const std::string nar = add_nar("a.nar", 1, 16 << 20);
  const Outcome piped = ingest_slowly(store(), nar, {});
  EXPECT_EQ(piped.exit, 0);
  EXPECT_EQ(piped.err, "");
  EXPECT_EQ(piped.out.find('\r'), std::string::npos);
  const Outcome shown = ingest_slowly(store() + "2", nar, {.on_terminal = true});
  EXPECT_EQ(shown.exit, 0);
  EXPECT_NE(shown.out.find("/s\x1b[K"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("\r\x1b[K"), std::string::npos) << shown.out;  // and takes it away again
  EXPECT_TRUE(shown.out.ends_with(" written\r\n")) << shown.out;
}

TEST_F(CliStreams, NoProgressWhereItIsNotWantedOrCannotBeDrawn) {
  add_nar("a.nar", 1, 8 << 20);
  for (const char* terminal : {"dumb", ""}) {
    std::filesystem::remove_all(store());
    const Outcome plain =
        on_store({"ingest", "a.nar"}, {.environment = {{"TERM", terminal}}, .on_terminal = true});
    EXPECT_EQ(plain.out.find('\x1b'), std::string::npos) << plain.out;
  }
  std::filesystem::remove_all(store());
  const Outcome quiet = on_store({"ingest", "--quiet", "a.nar"}, {.on_terminal = true});
  EXPECT_EQ(quiet.out.find('\x1b'), std::string::npos) << quiet.out;
  EXPECT_EQ(std::ranges::count(quiet.out, '\n'), 1) << quiet.out;
}

TEST_F(CliStreams, ColorsAreNeverUsed) {
  add_nar("a.nar");
  for (const char* no_color : {"", "1"}) {
    const Outcome done = on_store({"ingest", "a.nar"},
                                  {.environment = {{"NO_COLOR", no_color}}, .on_terminal = true});
    EXPECT_EQ(done.out.find("\x1b[3"), std::string::npos);
    EXPECT_EQ(done.out.find("m\x1b"), std::string::npos);
  }
}

TEST_F(CliStreams, ANarIsNotDumpedOnATerminalUnlessMeant) {
  write_file(path("file"), "x");
  const Outcome refused = chunker({"nar", "dump", "file"}, {.on_terminal = true});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_EQ(refused.out.find("nix-archive"), std::string::npos);
  const Outcome meant = chunker({"nar", "dump", "file", "-o", "-"}, {.on_terminal = true});
  EXPECT_EQ(meant.exit, 0);
  EXPECT_NE(meant.out.find("nix-archive"), std::string::npos);
}

TEST_F(CliStreams, AReaderThatLeavesEndsAnyCommandQuietly) {
  add_nar("a.nar");
  ingest("a.nar");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"list"},
                                                  {"stats"},
                                                  {"cut", "a.nar"},
                                                  {"--help"},
                                                  {"ingest", "a.nar"}}) {
    const Outcome done = on_store(command, {.output_closed = true});
    EXPECT_EQ(done.exit, 141) << command.front();
    EXPECT_EQ(done.err, "") << command.front();
  }
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliStreams, R11_6_SignalsStopIngestAndWhatWasAcknowledgedStays) {
  for (const auto& [signal, exit] :
       {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}, std::pair{SIGHUP, 129}}) {
    const std::string name = std::to_string(signal) + ".nar";
    const std::string nar = add_nar(name, static_cast<std::uint64_t>(signal));
    const std::string next = add_nar("next.nar", 77, 16 << 20);
    Running program({"ingest", "--json", "--store", store(), "--pack-size", "1", path(name), "-"});
    ASSERT_TRUE(program.wait_for(name));
    program.write(std::string_view(next).substr(0, next.size() / 4));
    program.send(signal);
    ::usleep(100000);
    program.write(std::string_view(next).substr(next.size() / 4));
    const Outcome stopped = program.finish();
    EXPECT_EQ(stopped.exit, exit) << stopped.err;
    const Json sum = object_of_kind(stopped.out, "summary");
    EXPECT_EQ(sum.at("nars"), 1);
    EXPECT_EQ(sum.at("not_reached"), 1);
    EXPECT_EQ(on_store({"restore", name, "-o", "-"}).out, nar);
    ingest("next.nar");  // The next run goes on with what this one did not reach.
    EXPECT_EQ(on_store({"restore", "next.nar", "-o", "-"}).out, next);
  }
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliStreams, R11_6_ASecondSignalEndsItAtOnce) {
  add_nar("a.nar");
  Running program({"ingest", "--json", "--store", store(), "--pack-size", "1", path("a.nar"), "-"});
  ASSERT_TRUE(program.wait_for("\"a.nar\""));  // then it waits for standard input, for ever
  const auto begin = std::chrono::steady_clock::now();
  program.send(SIGINT);
  for (int i = 0; i < 50; ++i) {
    ::usleep(20000);
    program.send(SIGINT);
  }
  const Outcome ended = program.finish();
  // When its work is done, and it only takes itself down, the next signal does what signals do.
  EXPECT_TRUE(ended.exit == 130 || ended.signal == SIGINT) << ended.exit << ", " << ended.signal;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliStreams, R11_6_ASignalEndsTheWaitForAnIdlePipe) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"cut", "-"},
        {"ingest", "--store", store(), "--files-from", "-"}}) {
    Running program(command);
    ::usleep(300000);  // it waits by now
    const auto begin = std::chrono::steady_clock::now();
    program.send(SIGTERM);
    EXPECT_FALSE(program.wait_for("anything"));  // ends, although its input stays open
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    const Outcome stopped = program.finish();
    EXPECT_EQ(stopped.exit, 143) << command.front();
    EXPECT_NE(stopped.err.find("stopped"), std::string::npos) << stopped.err;
  }
}

TEST_F(CliStreams, ASignalAfterAllIsDoneChangesNothing) {
  // More lines than a pipe takes: it can only end once they are read, long after the last one was stored.
  constexpr int kNars = 400;
  std::vector<std::string> command{"ingest", "--store", store()};
  for (int i = 0; i < kNars; ++i) {
    command.push_back(std::to_string(i) + std::string(200, 'n') + ".nar");
    write_file(path(command.back()), make_nar({{"f", std::to_string(i)}}));
  }
  Running program(command, {.directory = directory_.path()});
  const auto names = [&] { return std::ranges::count(on_store({"list", "--names"}).out, '\n'); };
  for (int tries = 0; tries < 200 && names() < kNars; ++tries) ::usleep(100000);
  ASSERT_EQ(names(), kNars);
  program.send(SIGINT);
  ::usleep(200000);
  const Outcome done = program.finish();
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_NE(done.out.find("\n400 NARs, "), std::string::npos);
}

TEST_F(CliStreams, StandardDescriptorsThatAreClosedAreNotMistakenForFiles) {
  add_nar("a.nar");
  const std::string command = "CHUNKER_STORE='" + store() + "' '" CHUNKER_PROGRAM "' ingest '" +
                              path("a.nar").string() + "' <&- >&- 2>&-";
  EXPECT_NE(std::system(command.c_str()), 0);  // it cannot say that it is done
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

}  // namespace
}  // namespace chunker::test
