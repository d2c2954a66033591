// A codec of a user's own, from end to end through the public interface.
#include <gmock/gmock.h>

#include "codec/toy_codec.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

class UserCodec : public test::StoreFixture {
 protected:
  UserCodec() {
    // Without zstd, so that `auto` has to take it.
    auto registry = std::make_shared<CodecRegistry>();
    EXPECT_OK(registry->add(*CodecRegistry::builtin()->by_id(CodecId::none)));
    EXPECT_OK(registry->add(CompressionCodec::of(test::ToyCodec{})));
    options_.codecs = registry;
  }

  void take_in_runs() {
    auto store = open();
    ASSERT_OK(store);
    auto options = test::small_chunks();
    options.strategy = CompressionStrategy::automatic;
    ASSERT_OK(take_in(*store, {{"runs.nar", nar_}}, options));
    const auto& taken = reported_.at("runs.nar");
    ASSERT_OK(taken);
    EXPECT_LT(taken->new_stored_bytes * 10, taken->new_raw_bytes) << "nobody compressed it";
  }

  std::string nar_ = test::make_nar(
      {{"runs", std::string(300'000, 'a') + std::string(300'000, 'b')}, {"text", "of no run"}});
};

TEST_F(UserCodec, R21_3_R22_1_IsUsedForIngestRestoreAndVerify) {
  take_in_runs();
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  EXPECT_EQ(give_back(*store, "runs.nar").value_or(""), nar_);
  expect_clean(*store);
}

TEST_F(UserCodec, R22_3_AStoreCanHaveItBesideTheBuiltInOnes) {
  take_in_runs();
  auto registry = std::make_shared<CodecRegistry>(*CodecRegistry::builtin());
  ASSERT_OK(registry->add(CompressionCodec::of(test::ToyCodec{})));
  options_.codecs = registry;
  auto store = open();
  ASSERT_OK(store);
  const auto other = test::make_nar({{"text", test::random_text(1, 300'000)}});
  auto options = test::small_chunks();
  options.strategy = CompressionStrategy::automatic;
  ASSERT_OK(take_in(*store, {{"other.nar", other}}, options));
  EXPECT_EQ(give_back(*store, "other.nar").value_or(""), other);
  EXPECT_EQ(give_back(*store, "runs.nar").value_or(""), nar_);
  expect_clean(*store);
}

TEST_F(UserCodec, R22_6_WithoutItItsFramesAreCodecUnavailable) {
  take_in_runs();
  options_.codecs = CodecRegistry::builtin();
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  const auto back = give_back(*store, "runs.nar");
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::codec_unavailable) << describe(back.error());
  EXPECT_THAT(describe(back.error()), testing::HasSubstr("1024"));
}

}  // namespace
}  // namespace chunker
