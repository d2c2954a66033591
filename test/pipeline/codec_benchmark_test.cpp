#include <gmock/gmock.h>

#include "chunker/benchmark.hpp"
#include "codec/samples.hpp"
#include "codec/toy_codec.hpp"

namespace chunker {
namespace {

class CodecBenchmarkTest : public testing::Test {
 protected:
  Result<void> run(const CodecRegistry& registry) {
    return benchmark_codecs(contents_, {.codecs = std::make_shared<CodecRegistry>(registry),
                                        .runs = 2,
                                        .on_figures = [this](const CodecFigures& figures) {
                                          names_.push_back(figures.name);
                                          all_.push_back(figures);
                                          return names_.size() < figures_max_;
                                        }});
  }

  ByteBuffer words_ = test::words(50'000), noise_ = test::random_bytes(30'000);
  std::vector<Bytes> contents_{words_, noise_};
  std::size_t figures_max_ = 100;
  std::vector<std::string> names_;
  std::vector<CodecFigures> all_;
};

TEST_F(CodecBenchmarkTest, R22_4_ComparesEveryRegisteredCodecAndEveryStrategy) {
  CodecRegistry registry = *CodecRegistry::builtin();
  ASSERT_TRUE(registry.add(CompressionCodec::of(test::ToyCodec{})));
  ASSERT_TRUE(run(registry));
  std::vector<std::string> expected;
  for (const CompressionCodec& codec : registry.codecs()) expected.emplace_back(codec.name());
  for (const CompressionStrategy strategy : kCompressionStrategies) {
    if (registry.for_strategy(strategy)) expected.emplace_back(name(strategy));
  }
  EXPECT_EQ(names_, expected);
  for (const CodecFigures& figures : all_) {
    EXPECT_EQ(figures.raw_bytes, words_.size() + noise_.size()) << figures.name;
    EXPECT_GT(figures.compress_mb_per_second(), 0) << figures.name;
    EXPECT_GT(figures.decompress_mb_per_second(), 0) << figures.name;
  }
}

TEST_F(CodecBenchmarkTest, R22_4_BytesAreThoseThatTheCodecsWrite) {
  ASSERT_TRUE(run(*CodecRegistry::builtin()));
  for (const CodecFigures& figures : all_) {
    if (figures.is_strategy) continue;
    const auto codec = CodecRegistry::builtin()->by_name(figures.name);
    std::uint64_t bytes = 0;
    for (const Bytes content : contents_) bytes += test::compressed(*codec, content).size();
    EXPECT_EQ(figures.stored_bytes, bytes) << figures.name;
    EXPECT_NEAR(figures.ratio(), 80'000 / static_cast<double>(bytes), 1e-9);
  }
  // A strategy stores the noise as it is.
  const auto balanced = std::ranges::find(all_, "balanced", &CodecFigures::name);
  const auto zstd = CodecRegistry::builtin()->by_id(CodecId::zstd);
  EXPECT_EQ(balanced->stored_bytes, test::compressed(*zstd, words_).size() + noise_.size());
}

TEST_F(CodecBenchmarkTest, EndsWhenItIsToldTo) {
  figures_max_ = 2;
  ASSERT_TRUE(run(*CodecRegistry::builtin()));
  EXPECT_EQ(names_.size(), 2U);
}

TEST_F(CodecBenchmarkTest, CanBeStopped) {
  std::stop_source stop;
  std::size_t measured = 0;
  const auto stopped =
      benchmark_codecs(contents_, {.runs = 1, .stop = stop.get_token(), .on_figures = [&](auto&) {
                                     ++measured;
                                     stop.request_stop();
                                     return true;
                                   }});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
  EXPECT_EQ(measured, 1U);
}

TEST_F(CodecBenchmarkTest, NoContentIsNoTrouble) {
  contents_.clear();
  ASSERT_TRUE(run(*CodecRegistry::builtin()));
  for (const CodecFigures& figures : all_) EXPECT_EQ(figures.ratio(), 0) << figures.name;
}

/// Gives back something else.
struct LossyCodec : test::ToyCodec {
  [[nodiscard]] Result<void> decompress(Bytes, std::uint64_t, CompressionScratch&,
                                        ByteBuffer& output) const {
    output.append(bytes_of("?"));
    return {};
  }
};

TEST_F(CodecBenchmarkTest, ACodecThatLosesContentIsNamed) {
  CodecRegistry registry;
  ASSERT_TRUE(registry.add(CompressionCodec::of(LossyCodec{})));
  const auto refused = run(registry);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::codec_failed);
  EXPECT_THAT(refused.error().context, testing::HasSubstr("toy"));
}

}  // namespace
}  // namespace chunker
