#include "cli/warnings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/log.hpp"

namespace chunker::cli {
namespace {

void warn_of(const std::string& name) {
  base::warn_if_deprecated({AlgorithmKind::codec, name, "use zstd instead"});
}

/// What `work` writes to standard error.
template <class Work>
std::string said_during(Work work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

TEST(CliWarnings, AreLinesOfStandardError) {
  Console console{std::stop_source()};
  const std::string said = said_during([&] {
    const Warnings warnings(console);
    warn_of("warned-old");
  });
  EXPECT_EQ(said, "chunker: warning: codec:warned-old is deprecated: use zstd instead\n");
}

TEST(CliWarnings, AnOddNameIsStillOneLine) {
  Console console{std::stop_source()};
  const std::string said = said_during([&] {
    const Warnings warnings(console);
    warn_of("odd\n\x1b[2J");
  });
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
}

TEST(CliWarnings, OfManyThreadsDoNotMix) {
  constexpr unsigned kThreads = 4, kEach = 50;
  Console console{std::stop_source()};
  const std::string said = said_during([&] {
    const Warnings warnings(console);
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&console, t] {
        for (unsigned i = 0; i < kEach; ++i) {
          warn_of("mixed-" + std::to_string(t) + "-" + std::to_string(i));
          console.note("between");
        }
      });
    }
    threads.clear();
  });
  std::istringstream lines(said);
  unsigned warnings = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line == "chunker: between") continue;
    EXPECT_TRUE(line.starts_with("chunker: warning: codec:mixed-") && line.ends_with("instead"))
        << line;
    ++warnings;
  }
  EXPECT_EQ(warnings, kThreads * kEach);
}

TEST(CliWarnings, EndWithIt) {
  Console console{std::stop_source()};
  const std::string said = said_during([&] {
    {
      const Warnings warnings(console);
    }
    warn_of("unheard");
  });
  EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace chunker::cli
