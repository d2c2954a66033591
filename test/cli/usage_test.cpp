#include <fstream>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

using CliUsage = CliTest;

const std::vector<std::vector<std::string>> kCommands{
    {"ingest"}, {"restore"},         {"list"},          {"stats"},         {"remove"},
    {"gc"},     {"verify"},          {"rebuild-index"}, {"cut"},           {"diff"},
    {"nar"},    {"nar", "ls"},       {"nar", "check"},  {"nar", "dump"},   {"nar", "unpack"},
    {"key"},    {"key", "generate"}, {"key", "sign"},   {"key", "verify"}, {"version"},
};

TEST_F(CliUsage, HelpIsATourWithEveryCommandAndTheExitCodes) {
  const Outcome help = chunker({"--help"});
  EXPECT_EQ(help.exit, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_NE(help.out.find("A first tour:"), std::string::npos);
  EXPECT_NE(help.out.find("Exit codes: 0"), std::string::npos);
  for (const auto& command : kCommands) {
    EXPECT_NE(help.out.find("\n  " + command.front()), std::string::npos) << command.front();
  }
}

TEST_F(CliUsage, EveryCommandExplainsItself) {
  for (auto command : kCommands) {
    command.emplace_back("--help");
    const Outcome help = chunker(command);
    EXPECT_EQ(help.exit, 0) << command.front();
    EXPECT_NE(help.out.find("Usage: chunker " + command.front()), std::string::npos) << help.out;
    EXPECT_EQ(help.err, "");
  }
}

TEST_F(CliUsage, CommandsShowExamples) {
  for (const char* command : {"ingest", "restore", "list", "stats", "remove", "gc", "verify",
                              "rebuild-index", "cut", "diff", "nar", "key"}) {
    const Outcome help = chunker({command, "--help"});
    EXPECT_NE(help.out.find("Example"), std::string::npos) << command;
    EXPECT_NE(help.out.find("chunker " + std::string(command)), std::string::npos) << command;
  }
}

TEST_F(CliUsage, VersionIsOneLineAndMoreByTheCommand) {
  EXPECT_EQ(chunker({"--version"}).out, "chunker " CHUNKER_VERSION "\n");
  const Json version = object_of_kind(chunker({"version", "--json"}).out, "version");
  EXPECT_EQ(version.at("version"), CHUNKER_VERSION);
  EXPECT_FALSE(version.at("codecs").empty());
  EXPECT_TRUE(version.at("cpu").is_array());
  EXPECT_NE(chunker({"version"}).out.find("codecs: none zstd"), std::string::npos);
}

TEST_F(CliUsage, MistakesAreSaidWithoutControlCharacters) {
  for (const std::string word : {"a\x1b[2J", "\xE2\x80\xAEgnp.nar"}) {
    const Outcome mistaken = chunker({"version", word});
    EXPECT_EQ(mistaken.exit, 2);
    EXPECT_EQ(mistaken.err.find(word), std::string::npos) << mistaken.err;
    EXPECT_NE(mistaken.err.find("not expected"), std::string::npos) << mistaken.err;
  }
}

TEST_F(CliUsage, NothingSaidIsAnErrorOfUsage) {
  const Outcome nothing = chunker({});
  EXPECT_EQ(nothing.exit, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_NE(nothing.err.find("chunker --help"), std::string::npos);
}

TEST_F(CliUsage, WhatCannotBeMeantExitsWithTwoAndPointsToHelp) {
  const std::vector<std::vector<std::string>> mistakes{
      {"frobnicate"},
      {"--frobnicate"},
      {"list", "--store", "s", "--frobnicate"},
      {"list"},  // no store
      {"ingest", "--store", "s", "--threads", "-1", "x"},
      {"ingest", "--store", "s", "--threads", "many", "x"},
      {"ingest", "--store", "s", "--strategy", "slowest", "x"},
      {"ingest", "--store", "s", "--zstd-level", "23", "x"},
      {"ingest", "--store", "s", "--zstd-level", "", "x"},
      {"ingest", "--store", "s", "--min-ratio-threshold", "", "x"},
      {"ingest", "--store", "s", "--checkpoint", "", "x"},
      {"ingest", "--store", "s", "--zstd-level", "9", "--strategy", "fastest", "x"},
      {"ingest", "--store", "s", "--algorithm", "magic", "x"},
      {"gc", "--store", "s", "--garbage-min", "101"},
      {"gc", "--store", "s", "--garbage-min", "nan"},
      {"gc", "--store", "s", "--garbage-min", ""},
      {"remove", "--store", "s"},
      {"nar"},
      {"nar", "unpack", "x"},
      {"cut"},
      {"diff", "a"},
  };
  for (const auto& mistake : mistakes) {
    const Outcome outcome = chunker(mistake);
    EXPECT_EQ(outcome.exit, 2) << mistake.front() << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("chunker: ")) << outcome.err;
    EXPECT_NE(outcome.err.find("--help"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliUsage, ALevelOutOfRangeIsToldTheRange) {
  for (const char* level : {"23", "-8"}) {
    const Outcome outcome = chunker({"ingest", "--store", "s", "--zstd-level", level, "x"});
    EXPECT_NE(outcome.err.find("--zstd-level"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("-7 to 22"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliUsage, AVariableIsBlamedForWhatItHolds) {
  add_nar("a.nar");
  for (const char* threads : {"abc", "-1", "5000"}) {
    const Outcome outcome =
        chunker({"cut", "a.nar"}, {.environment = {{"CHUNKER_THREADS", threads}}});
    EXPECT_EQ(outcome.exit, 2);
    EXPECT_NE(outcome.err.find("CHUNKER_THREADS"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("--threads"), std::string::npos) << outcome.err;
  }
  const Outcome flag = chunker({"cut", "--threads", "abc", "a.nar"});
  EXPECT_NE(flag.err.find("--threads"), std::string::npos) << flag.err;
}

TEST_F(CliUsage, MistakesAreJsonWhereJsonIsWanted) {
  for (const std::vector<std::string>& mistake :
       {std::vector<std::string>{"list", "--frobnicate", "--store", "s", "--json"},
        {"list", "--json"},
        {"cut", "--json", "--threads", "many", "x"}}) {
    const Outcome outcome = chunker(mistake);
    EXPECT_EQ(outcome.exit, 2);
    const Json error = object_of_kind(outcome.out, "error");
    ASSERT_TRUE(error.is_object()) << outcome.out;
    EXPECT_EQ(error.at("code"), "invalid_argument");
    EXPECT_NE(error.at("cure").get<std::string>().find(" --help`"), std::string::npos);
    EXPECT_NE(outcome.err, "");
  }
  EXPECT_EQ(chunker({"cut", "--threads", "many", "--", "--json"}).out, "");
}

TEST_F(CliUsage, UnknownCommandsAreNamed) {
  EXPECT_NE(chunker({"lst"}).err.find("no command or option \"lst\""), std::string::npos);
  EXPECT_NE(chunker({"nar", "lst"}).err.find("chunker nar has no command or option \"lst\""),
            std::string::npos);
}

TEST_F(CliUsage, CombinationsThatCannotBeMeantExitWithTwoBeforeAnythingIsMade) {
  add_nar("a.nar");
  const std::vector<std::vector<std::string>> mistakes{
      {"ingest"},
      {"ingest", "--name", "x", "a.nar", "a.nar"},
      {"ingest", "--name", "../x", "a.nar"},
      {"ingest", "--chunk-sizes", "1M", "a.nar"},
      {"ingest", "--chunk-sizes", "1M:2M:3M:4M", "a.nar"},
      {"ingest", "--chunk-sizes", "3M:2M:1M", "a.nar"},
      {"ingest", "--normalization", "4", "a.nar"},
      {"ingest", "--seed", "-1", "a.nar"},
      {"ingest", "--seed", "18446744073709551616", "a.nar"},
      {"ingest", "--pack-size", "0", "a.nar"},
      {"ingest", "-", "-"},
      {"ingest", "--files-from", "-", "-"},
  };
  for (const auto& mistake : mistakes) {
    const Outcome outcome = on_store(mistake);
    EXPECT_EQ(outcome.exit, 2) << mistake.back() << outcome.err;
    EXPECT_NE(outcome.err.find("(invalid_argument)"), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(store()));
  }
}

TEST_F(CliUsage, R21_4_BoundsOfParametersAreNamed) {
  add_nar("a.nar");
  const Outcome outcome = chunker({"cut", "--chunk-sizes", "8:16:32", "a.nar"});
  EXPECT_EQ(outcome.exit, 2);
  EXPECT_NE(outcome.err.find("_bytes is "), std::string::npos) << outcome.err;
}

TEST_F(CliUsage, TheStoreMayComeFromTheEnvironmentAndTheOptionWins) {
  add_nar("a.nar");
  ingest("a.nar");
  EXPECT_EQ(chunker({"list", "--names"}, {.environment = {{"CHUNKER_STORE", store()}}}).out,
            "a.nar\n");
  EXPECT_EQ(chunker({"list", "--names", "--store", store()},
                    {.environment = {{"CHUNKER_STORE", "/none"}}})
                .out,
            "a.nar\n");
}

TEST_F(CliUsage, ArgumentsReachTheCommandByteForByte) {
  // CLI11 reads "[...]" as a list and "{}" as an empty one, and some names are commands.
  for (const char* name : {"[a,b]", "[]", "{}", "list", "\x02[x]", "-dash", "a b", "%%", "'\""}) {
    add_nar(name);
    const Outcome cut = chunker({"cut", "--json", "--", name});
    EXPECT_EQ(cut.exit, 0) << name << cut.err;
    EXPECT_EQ(object_of_kind(cut.out, "file").at("file"), name);
    const Outcome dumped =
        chunker({"nar", "dump", std::string("--output=out ") + name, "--", name});
    EXPECT_EQ(dumped.exit, 0) << name << dumped.err;
    EXPECT_TRUE(std::filesystem::exists(path(std::string("out ") + name)));
  }
  const Outcome bracketed = chunker({"nar", "dump", "-o", "[o]", "{}"});
  EXPECT_EQ(bracketed.exit, 0) << bracketed.err;
  EXPECT_TRUE(std::filesystem::exists(path("[o]")));
}

TEST_F(CliUsage, NumbersDoNotDependOnTheLocale) {
  add_nar("a.nar");
  const Surroundings german{.environment = {{"LC_ALL", "de_DE.UTF-8"}, {"LANG", "de_DE.UTF-8"}}};
  EXPECT_EQ(chunker({"cut", "a.nar"}, german).out, chunker({"cut", "a.nar"}).out);
}

}  // namespace
}  // namespace chunker::test
