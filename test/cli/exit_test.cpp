#include "cli/exit.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace chunker::cli {
namespace {

std::vector<ErrorCode> all_codes() {
  std::vector<ErrorCode> codes;
  for (unsigned number = 0; number < 1000; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    if (name(code) != "unknown") codes.push_back(code);
  }
  return codes;
}

TEST(CliExit, FollowsFromWhetherTryingAgainCanHelp) {
  ASSERT_GT(all_codes().size(), 30U);
  for (const ErrorCode code : all_codes()) {
    switch (retry(code)) {
      case Retry::later:
        EXPECT_EQ(exit_of(code), Exit::later) << name(code);
        break;
      case Retry::caller_stopped:
        EXPECT_EQ(exit_of(code), Exit::interrupted) << name(code);
        break;
      case Retry::never:
        EXPECT_EQ(exit_of(code), code == ErrorCode::invalid_argument ? Exit::usage : Exit::failure)
            << name(code);
        break;
    }
  }
}

TEST(CliExit, EveryErrorHasACure) {
  for (const ErrorCode code : all_codes()) {
    EXPECT_GT(cure(code).size(), 10U) << name(code);
    EXPECT_EQ(cure(code).back(), '.') << name(code);
  }
}

TEST(CliExit, TheWorseOfTwoIsKept) {
  EXPECT_EQ(worse(Exit::ok, Exit::later), Exit::later);
  EXPECT_EQ(worse(Exit::later, Exit::failure), Exit::failure);
  EXPECT_EQ(worse(Exit::failure, Exit::later), Exit::failure);
  EXPECT_EQ(worse(Exit::failure, Exit::interrupted), Exit::interrupted);
}

TEST(CliExit, TheDocumentationNamesEveryErrorAndItsExitCode) {
  std::ostringstream text;
  text << std::ifstream(CHUNKER_SOURCE_DIR "/doc/exit-codes.md").rdbuf();
  const std::string document = text.str();
  for (const ErrorCode code : all_codes()) {
    const std::string row = "| `" + std::string(name(code)) + "` | " +
                            std::to_string(static_cast<int>(exit_of(code))) + " |";
    EXPECT_NE(document.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace chunker::cli
