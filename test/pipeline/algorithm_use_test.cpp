// A codec and a hash of a user's own are cached, counted and traced like ours, without a line of code for it.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>

#include "chunker/log.hpp"
#include "codec/toy_codec.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::StartsWith;

HashAlgorithm own_hash() {
  return *HashAlgorithm::custom("mine", [](Bytes bytes) {
    Digest digest = HashAlgorithm::sha256().hash(bytes);
    digest.bytes[0] ^= std::byte{1};
    return digest;
  });
}

class AlgorithmUses : public test::StoreFixture {
 protected:
  AlgorithmUses() {
    auto registry = std::make_shared<CodecRegistry>();
    EXPECT_OK(registry->add(*CodecRegistry::builtin()->by_id(CodecId::none)));
    EXPECT_OK(registry->add(CompressionCodec::of(test::ToyCodec{})));
    options_.codecs = registry;
    options_.hash = own_hash();
    cache_ = std::make_shared<HashCache>(options_.hash);
    set_log_sink([this](LogLevel, std::string_view message) { messages_.emplace_back(message); },
                 LogLevel::trace);
  }
  ~AlgorithmUses() override { set_log_sink({}); }

  // By a cache of the store's hash.
  void take_in_runs(const std::string& name) {
    auto store = open();
    ASSERT_OK(store);
    auto options = test::small_chunks();
    options.strategy = CompressionStrategy::automatic;
    options.hash_cache = cache_;
    ASSERT_OK(take_in(*store, {{name, nar_}}, options));
    ASSERT_OK(reported_.at(name));
  }

  static std::vector<std::string> keys_of(const std::vector<AlgorithmUse>& uses) {
    std::vector<std::string> keys;
    for (const AlgorithmUse& use : uses) keys.push_back(use.algorithm.key());
    return keys;
  }
  static AlgorithmUse use_of(const std::vector<AlgorithmUse>& uses, std::string_view key) {
    const auto found =
        std::ranges::find_if(uses, [&](const auto& use) { return use.algorithm.key() == key; });
    return found == uses.end() ? AlgorithmUse{} : *found;
  }
  static std::uint64_t put_out_by_codecs(const std::vector<AlgorithmUse>& uses) {
    std::uint64_t bytes = 0;
    for (const AlgorithmUse& use : uses) {
      if (use.algorithm.kind == AlgorithmKind::codec) bytes += use.bytes_out;
    }
    return bytes;
  }

  std::string nar_ = test::make_nar(
      {{"runs", std::string(300'000, 'a') + std::string(300'000, 'b')}, {"text", "of no run"}});
  std::shared_ptr<HashCache> cache_;
  std::vector<std::string> messages_;
};

TEST_F(AlgorithmUses, R21_5_AUsersOwnAreInReportsOfIngest) {
  take_in_runs("runs.nar");
  const IngestedNar& nar = *reported_.at("runs.nar");
  EXPECT_THAT(keys_of(nar.algorithms), IsSupersetOf({"codec:toy", "hash:mine", "hash:sha256"}));
  EXPECT_EQ(put_out_by_codecs(nar.algorithms), nar.new_stored_bytes);
  const AlgorithmUse toy = use_of(nar.algorithms, "codec:toy");
  EXPECT_GT(toy.count, 0U);
  EXPECT_LT(toy.bytes_out * 10, toy.bytes_in);
  const AlgorithmUse mine = use_of(nar.algorithms, "hash:mine");
  EXPECT_EQ(mine.count, nar.chunks);
  EXPECT_EQ(mine.bytes_in, nar.nar_bytes);
}

TEST_F(AlgorithmUses, R21_5_AUsersOwnAreInStatisticsOfAStore) {
  take_in_runs("runs.nar");
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  const auto stats = store->stats();
  ASSERT_OK(stats);
  EXPECT_THAT(keys_of(stats->algorithms), IsSupersetOf({"codec:toy", "hash:mine"}));
  EXPECT_EQ(use_of(stats->algorithms, "hash:mine").count, stats->unique_chunks);
  EXPECT_EQ(put_out_by_codecs(stats->algorithms),
            stats->delta_stored_bytes + stats->compressed_stored_bytes + stats->uncompressed_bytes);
}

TEST_F(AlgorithmUses, R21_5_AUsersOwnHashIsCached) {
  take_in_runs("runs.nar");
  const std::uint64_t hits_before = cache_->stats().hit_count;
  take_in_runs("again.nar");
  EXPECT_GE(cache_->stats().hit_count - hits_before, reported_.at("again.nar")->chunks);
}

TEST_F(AlgorithmUses, R21_5_AUsersOwnAreTraced) {
  take_in_runs("runs.nar");
  const std::string nar = "nar=" + reported_.at("runs.nar")->nar_sha256.hex();
  EXPECT_THAT(messages_,
              Contains(AllOf(StartsWith("ingest codec=\"toy\" count="), HasSubstr(nar))));
  EXPECT_THAT(messages_,
              Contains(AllOf(StartsWith("ingest hash=\"mine\" count="), HasSubstr(nar))));
}

TEST_F(AlgorithmUses, R21_5_TheNumberStandsForACodecThatIsGone) {
  take_in_runs("runs.nar");
  options_.codecs = CodecRegistry::builtin();
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  const auto stats = store->stats();
  ASSERT_OK(stats);
  EXPECT_THAT(keys_of(stats->algorithms), Contains("codec:1024"));
}

}  // namespace
}  // namespace chunker
