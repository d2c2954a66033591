#include <gmock/gmock.h>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

class CliBench : public CliTest {};

TEST_F(CliBench, R22_4_CodecsAndStrategiesAreInOneTable) {
  add_nar("a.nar", 1, 300'000);
  const Outcome outcome = chunker({"bench", "codecs", "--runs", "1", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  for (const char* name : {"none", "zstd", "zstd_x86", "balanced", "smallest", "adaptive", "auto"})
    EXPECT_THAT(outcome.out, testing::HasSubstr(std::string("\n") + name + " ")) << name;
  EXPECT_THAT(outcome.out, testing::HasSubstr("ratio"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("decompress"));
}

TEST_F(CliBench, R22_4_JsonHasAnObjectForEach) {
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

TEST_F(CliBench, TakesASampleOfTheFiles) {
  add_nar("a.nar", 1, 3 << 20);
  const Outcome outcome =
      chunker({"bench", "codecs", "--json", "--runs", "1", "--sample", "1M", "a.nar"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  const auto bytes = object_of_kind(outcome.out, "codec").at("raw_bytes").get<std::uint64_t>();
  EXPECT_GT(bytes, 100'000U);
  EXPECT_LE(bytes, 2U << 20);
}

TEST_F(CliBench, MistakesAreSaid) {
  EXPECT_EQ(chunker({"bench"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "codecs", "--sample", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "codecs", "--runs", "0"}).exit, 2);
  EXPECT_EQ(chunker({"bench", "codecs", "absent.nar"}).exit, 1);
}

}  // namespace
}  // namespace chunker::test
