#include "chunker/algorithm_registry.hpp"

#include <gmock/gmock.h>

#include "chunker/batch.hpp"
#include "chunker/log.hpp"
#include "codec/toy_codec.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using testing::Contains;

Digest nothing(Bytes) { return {}; }

TEST(AlgorithmRegistry, R21_5_ListsWhatIsBuiltInAndWhatIsAdded) {
  AlgorithmRegistry registry;
  const std::size_t built_in = registry.list().size();
  EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::chunking, "fast_cdc", {}}));
  EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::hash, "blake3", {}}));
  EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::codec, "zstd", {}}));
  ASSERT_OK(registry.add(CompressionCodec::of(test::ToyCodec{})));
  ASSERT_OK(registry.add(*HashAlgorithm::custom("toy", nothing)));
  EXPECT_EQ(registry.list().size(), built_in + 2);
  EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::codec, "toy", {}}));
  EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::hash, "toy", {}}));
  EXPECT_OK(registry.hash("toy"));
  EXPECT_OK(registry.codecs().by_name("toy"));
}

TEST(AlgorithmRegistry, RefusesSecondOnesAndUnknownOnes) {
  AlgorithmRegistry registry;
  ASSERT_OK(registry.add(*HashAlgorithm::custom("toy", nothing)));
  EXPECT_EQ(registry.add(*HashAlgorithm::custom("toy", nothing)).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(registry.add(*registry.codecs().by_name("zstd")).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(registry.hash("md5").error().code, ErrorCode::unsupported);
}

struct OldCodec : test::ToyCodec {
  static constexpr std::string_view deprecated = "use zstd instead";
};
struct OldHash {
  static constexpr std::string_view deprecated = "use blake3 instead";
  Digest operator()(Bytes) const { return {}; }
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
CompressionCodec old_codec(std::string_view name) {
  OldCodec codec;
  codec.label = name;
  return CompressionCodec::of(codec);
}
HashAlgorithm old_hash(const std::string& name) { return *HashAlgorithm::custom(name, OldHash{}); }
#pragma GCC diagnostic pop

class Deprecation : public test::StoreFixture {
 protected:
  Deprecation() {
    set_log_sink([this](LogLevel, std::string_view message) { messages_.emplace_back(message); });
  }
  ~Deprecation() override { set_log_sink({}); }

  std::vector<std::string> messages_;
};

TEST_F(Deprecation, R21_6_TheLogTellsOnceOfEachThatIsRegistered) {
  for (int i = 0; i < 2; ++i) {
    AlgorithmRegistry registry;
    ASSERT_OK(registry.add(old_codec("old-registered")));
    ASSERT_OK(registry.add(old_hash("old-registered")));
    EXPECT_THAT(registry.list(), Contains(AlgorithmInfo{AlgorithmKind::hash, "old-registered",
                                                        "use blake3 instead"}));
  }
  EXPECT_THAT(messages_,
              testing::ElementsAre("codec:old-registered is deprecated: use zstd instead",
                                   "hash:old-registered is deprecated: use blake3 instead"));
}

TEST_F(Deprecation, R21_6_TheLogTellsWhoOpensAStoreWithAnOldCodec) {
  auto codecs = std::make_shared<CodecRegistry>(*CodecRegistry::builtin());
  ASSERT_OK(codecs->add(old_codec("old-of-store")));
  options_.codecs = codecs;
  for (int i = 0; i < 2; ++i) ASSERT_OK(open());
  EXPECT_THAT(messages_,
              testing::ElementsAre("codec:old-of-store is deprecated: use zstd instead"));
}

TEST_F(Deprecation, R21_6_TheLogTellsWhoChunksWithAnOldHash) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(batch_chunk_files({}, {}, {.hash = old_hash("old-batch")}));
  }
  EXPECT_THAT(messages_, testing::ElementsAre("hash:old-batch is deprecated: use blake3 instead"));
}

}  // namespace
}  // namespace chunker
