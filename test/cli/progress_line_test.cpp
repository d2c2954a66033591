#include "cli/progress_line.hpp"

#include <gtest/gtest.h>

namespace chunker::cli {
namespace {

using namespace std::chrono_literals;

const auto kBegin = ProgressLine::Clock::time_point{} + 1h;

Progress at(std::uint64_t bytes, std::uint64_t total, double seconds) {
  return {.files_completed = 3,
          .files_total = 12,
          .bytes_processed = bytes,
          .bytes_total = total,
          .elapsed_seconds = seconds};
}

TEST(CliProgressLine, ShowsShareRateAndTimeLeft) {
  ProgressLine line;
  EXPECT_EQ(
      line.update(at(250 << 20, 1000 << 20, 1), kBegin, 100),
      "[######..................]  25 %  250.0 MiB of 1000.0 MiB  250.0 MiB/s  3.0 s left  3/12");
}

TEST(CliProgressLine, WithoutATotalThereIsNoShare) {
  ProgressLine line;
  EXPECT_EQ(line.update(at(10 << 20, 0, 2), kBegin, 100), "10.0 MiB  5.0 MiB/s  3/12");
}

TEST(CliProgressLine, TheRateIsThatOfTheLastSeconds) {
  ProgressLine line;
  EXPECT_NE(line.update(at(100 << 20, 0, 1), kBegin, 100), "");
  std::string last;
  for (int second = 1; second <= 60; ++second) {
    const auto bytes = static_cast<std::uint64_t>((100 + second) << 20);
    last = line.update(at(bytes, 0, 1 + second), kBegin + second * 1s, 100);
  }
  EXPECT_NE(last.find("  1.0 MiB/s"), std::string::npos) << last;
}

TEST(CliProgressLine, ComesTenTimesASecondAtMostAndFitsItsLine) {
  ProgressLine line;
  EXPECT_EQ(line.update(at(250 << 20, 1000 << 20, 1), kBegin, 20).size(), 20U);
  EXPECT_EQ(line.update(at(251 << 20, 1000 << 20, 1), kBegin + 50ms, 100), "");
  EXPECT_NE(line.update(at(251 << 20, 1000 << 20, 1), kBegin + 101ms, 100), "");
}

TEST(CliProgressLine, MoreThanTheTotalIsNotMoreThanEverything) {
  ProgressLine line;
  EXPECT_TRUE(
      line.update(at(2000, 1000, 1), kBegin, 100).starts_with("[########################] 100 %"));
}

}  // namespace
}  // namespace chunker::cli
