#include "chunker/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace chunker {
namespace {

TEST(Error, DescribesWhatWhereAndWhetherToRetry) {
  const Error error{ErrorCode::nar_bad_padding, "padding is not zero", 96, "bin/sh"};
  EXPECT_EQ(describe(Error(error).within("a.nar")),
            "a.nar: bin/sh: padding is not zero at byte 96 (nar_bad_padding; retry: never)");
  EXPECT_EQ(retry(ErrorCode::io_no_space), Retry::later);
  EXPECT_EQ(retry(ErrorCode::cancelled), Retry::caller_stopped);
}

TEST(Error, EveryNumberHasItsOwnName) {
  std::set<std::string_view> names;
  int count = 0;
  for (std::uint16_t number = 0; number < 1000; ++number) {
    const auto text = name(static_cast<ErrorCode>(number));
    if (text == "unknown") continue;
    ++count;
    EXPECT_TRUE(names.insert(text).second) << text;
  }
  EXPECT_GE(count, 30);
}

}  // namespace
}  // namespace chunker
