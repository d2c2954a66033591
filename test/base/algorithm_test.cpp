#include "chunker/algorithm.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <vector>

#include "base/log.hpp"
#include "chunker/algorithm_use.hpp"
#include "chunker/log.hpp"

namespace chunker {
namespace {

TEST(AlgorithmInfo, R21_5_NamesForCachesAndMetricsComeFromOnePlace) {
  const AlgorithmInfo toy{AlgorithmKind::codec, "toy", {}};
  EXPECT_EQ(toy.key(), "codec:toy");
  EXPECT_EQ(toy.label(), "codec=\"toy\"");
  const AlgorithmInfo hash{AlgorithmKind::hash, "toy", {}};
  EXPECT_NE(hash.key(), toy.key());
  EXPECT_EQ(hash.label(), "hash=\"toy\"");
  EXPECT_EQ(name(AlgorithmKind::chunking), "chunking");
}

TEST(AlgorithmUse, R21_5_EachAlgorithmHasOneEntryHoweverOftenItIsCounted) {
  const AlgorithmInfo toy{AlgorithmKind::codec, "toy", {}};
  const AlgorithmInfo hash{AlgorithmKind::hash, "toy", {}};
  const AlgorithmInfo lz4{AlgorithmKind::codec, "lz4", {}};
  std::vector<AlgorithmUse> uses;
  add_uses(uses, std::vector<AlgorithmUse>{{toy, 1, 100, 10}, {hash, 1, 100, 32}});
  add_uses(uses, std::vector<AlgorithmUse>{{lz4, 1, 50, 20}, {toy, 2, 300, 20}});
  EXPECT_THAT(uses,
              testing::ElementsAre(AlgorithmUse{hash, 1, 100, 32}, AlgorithmUse{lz4, 1, 50, 20},
                                   AlgorithmUse{toy, 3, 400, 30}));
}

class Log : public testing::Test {
 protected:
  void listen(LogLevel least = LogLevel::warning) {
    set_log_sink([this](LogLevel, std::string_view message) { messages_.emplace_back(message); },
                 least);
  }
  ~Log() override { set_log_sink({}); }

  std::vector<std::string> messages_;
};

TEST_F(Log, R21_6_ADeprecatedAlgorithmIsToldOfOnce) {
  listen();
  const AlgorithmInfo old{AlgorithmKind::codec, "old-1", "use zstd instead"};
  const AlgorithmInfo other{AlgorithmKind::hash, "old-1", "use blake3 instead"};
  for (int i = 0; i < 3; ++i) base::warn_if_deprecated(old);
  base::warn_if_deprecated({AlgorithmKind::codec, "fine", {}});
  base::warn_if_deprecated(other);
  EXPECT_THAT(messages_, testing::ElementsAre("codec:old-1 is deprecated: use zstd instead",
                                              "hash:old-1 is deprecated: use blake3 instead"));
}

TEST_F(Log, R21_6_WhatNobodyHeardIsToldToTheFirstWhoListens) {
  const AlgorithmInfo old{AlgorithmKind::codec, "old-2", "use zstd instead"};
  base::warn_if_deprecated(old);
  listen();
  base::warn_if_deprecated(old);
  EXPECT_EQ(messages_.size(), 1U);
}

TEST_F(Log, R21_5_TracesAreForThoseWhoAskForThem) {
  const std::vector<AlgorithmUse> uses{{{AlgorithmKind::codec, "toy", {}}, 3, 400, 30}};
  base::trace_uses("test", uses, "it=1");
  listen();
  base::trace_uses("test", uses, "it=2");
  listen(LogLevel::trace);
  base::trace_uses("test", uses, "it=3");
  EXPECT_THAT(messages_,
              testing::ElementsAre("test codec=\"toy\" count=3 bytes_in=400 bytes_out=30 it=3"));
}

TEST_F(Log, ASinkThatThrowsDisturbsNobody) {
  set_log_sink([](LogLevel, std::string_view) { throw std::runtime_error("no room"); });
  base::warn_if_deprecated({AlgorithmKind::codec, "old-3", "use zstd instead"});
  listen();
  base::warn_if_deprecated({AlgorithmKind::codec, "old-4", "use zstd instead"});
  EXPECT_EQ(messages_.size(), 1U);
}

}  // namespace
}  // namespace chunker
