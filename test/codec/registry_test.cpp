#include <gmock/gmock.h>

#include "codec/machine_code.hpp"
#include "codec/samples.hpp"
#include "codec/toy_codec.hpp"
#include "codec/zstd.hpp"

namespace chunker {
namespace {

using test::compressed;
using test::ToyCodec;

static_assert(threads_of<CompressionCodec> == Threads::shared);

constexpr CodecId kEveryId[] = {CodecId::none, CodecId::zstd, CodecId::zstd_x86,
                                CodecId::lz4,  CodecId::xz,   CodecId::bzip2};

TEST(CodecRegistry, HasTheBuiltInCodecsInOrder) {
  const auto registry = CodecRegistry::builtin();
  EXPECT_EQ(registry->codecs()[0].name(), "none");
  EXPECT_EQ(registry->codecs()[1].name(), "zstd");
  EXPECT_EQ(CodecRegistry::builtin(), registry);
  for (const CompressionCodec& codec : registry->codecs()) {
    EXPECT_EQ(registry->by_id(codec.id())->name(), codec.name());
    EXPECT_EQ(registry->by_name(codec.name())->id(), codec.id());
  }
}

TEST(CodecRegistry, R22_1_TakesACodecOfTheUsersOwn) {
  CodecRegistry registry;
  ASSERT_TRUE(registry.add(CompressionCodec::of(ToyCodec{})));
  const auto toy = registry.by_name("toy");
  ASSERT_TRUE(toy);
  EXPECT_EQ(toy->id(), CodecId{1024});
  const ByteBuffer frame = compressed(*toy, bytes_of("aaab"));
  EXPECT_EQ(text_of(frame), std::string_view("TOY\3a\1b\0", 8));
  EXPECT_EQ(text_of(*test::decompressed(*registry.by_id(CodecId{1024}), frame)), "aaab");
}

TEST(CodecRegistry, RefusesASecondCodecOfTheSameIdOrName) {
  CodecRegistry registry = *CodecRegistry::builtin();
  const std::size_t codec_count = registry.codecs().size();
  for (const ToyCodec& codec :
       {ToyCodec{.number = CodecId::zstd}, ToyCodec{.label = "zstd"}, ToyCodec{.label = ""}}) {
    const auto refused = registry.add(CompressionCodec::of(codec));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(registry.codecs().size(), codec_count);
}

TEST(CodecRegistry, R22_2_DetectsEveryRegisteredCodecByItsMagicBytes) {
  CodecRegistry registry = *CodecRegistry::builtin();
  ASSERT_TRUE(registry.add(CompressionCodec::of(ToyCodec{})));
  for (const CompressionCodec& codec : registry.codecs()) {
    if (codec.magic_bytes().empty()) continue;
    const ByteBuffer frame = compressed(codec, bytes_of("some bytes"));
    ASSERT_TRUE(registry.detect(frame)) << codec.name();
    EXPECT_EQ(registry.detect(frame)->id(), codec.id());
    EXPECT_FALSE(registry.detect(frame.view().first(codec.magic_bytes().size() - 1)));
  }
}

TEST(CodecRegistry, R22_2_TheLongestMagicWinsWhateverTheOrder) {
  const ToyCodec brief{.number = CodecId{1025}, .label = "brief", .signature = "TO"};
  CodecRegistry registry;
  ASSERT_TRUE(registry.add(CompressionCodec::of(brief)));
  ASSERT_TRUE(registry.add(CompressionCodec::of(ToyCodec{})));
  EXPECT_EQ(registry.detect(bytes_of("TOY..."))->name(), "toy");
  EXPECT_EQ(registry.detect(bytes_of("TOX..."))->name(), "brief");
}

TEST(CodecRegistry, R22_6_AnAbsentCodecIsCodecUnavailable) {
  const CodecRegistry empty;
  for (const auto& error :
       {empty.by_id(CodecId::zstd).error(), empty.by_name("zstd").error(),
        empty.detect(compressed(CompressionCodec::of(codec::ZstdCodec{}), {})).error(),
        CodecRegistry::builtin()->by_id(CodecId{999}).error(),
        CodecRegistry::builtin()->detect(bytes_of("plain text")).error(),
        builtin_codec(CodecId{1024}, 1).error()}) {
    EXPECT_EQ(error.code, ErrorCode::codec_unavailable) << describe(error);
  }
  for (const auto strategy : {CompressionStrategy::fastest, CompressionStrategy::balanced,
                              CompressionStrategy::smallest}) {
    EXPECT_EQ(empty.for_strategy(strategy).error().code, ErrorCode::codec_unavailable);
  }
}

// Codecs that a build leaves out are missing everywhere alike.
TEST(CodecRegistry, R22_6_ABuildWithoutACodecSaysSo) {
  for (const CodecId id : kEveryId) {
    const auto made = builtin_codec(id, 1);
    const auto registered = CodecRegistry::builtin()->by_id(id);
    EXPECT_EQ(made.has_value(), registered.has_value());
    if (!made) {
      EXPECT_EQ(made.error().code, ErrorCode::codec_unavailable);
    }
  }
}

TEST(CodecRegistry, BuiltinCodecsRefuseLevelsOutsideTheirScale) {
  for (const auto& [id, least, most] :
       {std::tuple(CodecId::zstd, -7, 22), std::tuple(CodecId::zstd_x86, -7, 22),
        std::tuple(CodecId::lz4, 0, 12), std::tuple(CodecId::xz, 0, 9),
        std::tuple(CodecId::bzip2, 1, 9)}) {
    if (!CodecRegistry::builtin()->by_id(id)) continue;
    for (const int level : {least, most}) {
      const auto codec = builtin_codec(id, level);
      ASSERT_TRUE(codec);
      EXPECT_EQ(text_of(*test::decompressed(*codec, compressed(*codec, bytes_of("text")))), "text");
    }
    for (const int level : {least - 1, most + 1}) {
      const auto refused = builtin_codec(id, level);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    }
  }
}

TEST(CompressionStrategy, R15_2_BalancedIsZstdLevel3) {
  const ByteBuffer input = test::words(200'000);
  const auto codec = CodecRegistry::builtin()->for_strategy(CompressionStrategy::balanced);
  EXPECT_EQ(codec->id(), CodecId::zstd);
  EXPECT_TRUE(test::same(compressed(*codec, input),
                         compressed(CompressionCodec::of(codec::ZstdCodec{.level = 3}), input)));
}

TEST(CompressionStrategy, R15_3_SmallestIsZstdLevel19) {
  const ByteBuffer input = test::words(200'000);
  const auto registry = CodecRegistry::builtin();
  const auto codec = registry->for_strategy(CompressionStrategy::smallest);
  EXPECT_EQ(codec->id(), CodecId::zstd);
  const ByteBuffer frame = compressed(*codec, input);
  EXPECT_TRUE(
      test::same(frame, compressed(CompressionCodec::of(codec::ZstdCodec{.level = 19}), input)));
  EXPECT_LT(frame.size(),
            compressed(*registry->for_strategy(CompressionStrategy::balanced), input).size());
}

TEST(CompressionStrategy, MachineCodeHasZstdX86AtTheSameLevel) {
  const auto registry = CodecRegistry::builtin();
  const ByteBuffer code = test::machine_code(200'000);
  for (const auto& [strategy, level] : {std::pair(CompressionStrategy::balanced, 3),
                                        std::pair(CompressionStrategy::smallest, 19)}) {
    const auto codec = registry->for_x86_code(strategy);
    ASSERT_TRUE(codec);
    EXPECT_EQ(codec->id(), CodecId::zstd_x86);
    EXPECT_TRUE(test::same(compressed(*codec, code),
                           compressed(*builtin_codec(CodecId::zstd_x86, level), code)));
  }
}

TEST(CompressionStrategy, MachineCodeIsNothingSpecialWithoutZstdOrItsFilter) {
  CodecRegistry registry;
  EXPECT_EQ(registry.for_x86_code(CompressionStrategy::balanced).error().code,
            ErrorCode::codec_unavailable);
  ASSERT_TRUE(registry.add(CompressionCodec::of(codec::ZstdCodec{})));
  EXPECT_EQ(registry.for_x86_code(CompressionStrategy::balanced)->id(), CodecId::zstd);
  ASSERT_TRUE(registry.add(CompressionCodec::of(ToyCodec{.number = CodecId::lz4})));
  EXPECT_EQ(registry.for_x86_code(CompressionStrategy::fastest)->id(), CodecId::lz4);
}

}  // namespace
}  // namespace chunker
