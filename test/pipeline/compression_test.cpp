// How frames are compressed: which codec, how long, and when not at all.
#include <gmock/gmock.h>

#include <limits>
#include <memory>
#include <vector>

#include "codec/machine_code.hpp"
#include "codec/samples.hpp"
#include "codec/toy_codec.hpp"
#include "codec/zstd.hpp"
#include "pipeline/frame_compressor.hpp"
#include "pipeline/timed_compression.hpp"

namespace chunker::pipeline {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using test::same;
using test::words;

constexpr std::size_t kMiB = 1 << 20;

/// Takes a while for each byte, by a clock of its own; the first byte says who wrote a frame.
struct SlowCodec {
  std::shared_ptr<nanoseconds> clock;
  nanoseconds per_byte{0};
  CodecId number = CodecId{1024};
  std::string_view label = "slow";
  double share = 0.5;     ///< What is left of the input.
  bool stoppable = true;  ///< Whether it asks between pieces of 64 KiB.
  bool damages = false;   ///< It does not give back what it was given.
  std::shared_ptr<std::size_t> worked = std::make_shared<std::size_t>(0);

  [[nodiscard]] CodecId id() const noexcept { return number; }
  [[nodiscard]] std::string_view name() const noexcept { return label; }
  [[nodiscard]] Bytes magic_bytes() const noexcept { return bytes_of("SLOW"); }

  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const {
    (void)compress_until(input, scratch, output, {});
    return {};
  }
  [[nodiscard]] Result<bool> compress_until(Bytes input, CompressionScratch&, ByteBuffer& output,
                                            const ShouldStop& should_stop) const {
    constexpr std::size_t kPieceBytes = 64 << 10;
    for (Bytes rest = input; !rest.empty();) {
      if (stoppable && should_stop && should_stop()) return false;
      const Bytes piece = rest.first(std::min(rest.size(), kPieceBytes));
      rest = rest.subspan(piece.size());
      *clock += per_byte * piece.size();
      *worked += piece.size();
    }
    kept_ = ByteBuffer(input);
    output.append(ByteBuffer(static_cast<std::size_t>(share * static_cast<double>(input.size()))));
    return true;
  }
  [[nodiscard]] Result<void> decompress(Bytes, std::uint64_t, CompressionScratch&,
                                        ByteBuffer& output) const {
    output.append(kept_);
    if (damages) output.data()[0] ^= std::byte{1};
    return {};
  }
  /// What came in last: enough for a test.
  inline static ByteBuffer kept_;
};
static_assert(StoppableCodec<SlowCodec>);

class Compression : public testing::Test {
 protected:
  struct Compressed {
    CodecId codec;
    ByteBuffer payload;
  };

  FrameCompressor compressor(CompressionOptions options) {
    auto plan = CompressionPlan::make(registry_, options, [this] { return *clock_; });
    EXPECT_TRUE(plan);
    return FrameCompressor(*plan);
  }
  Compressed compressed(Bytes raw, CompressionOptions options) {
    FrameCompressor made = compressor(options);
    ByteBuffer payload;
    const auto codec = made.compress(raw, payload);
    EXPECT_TRUE(codec);
    return {*codec, std::move(payload)};
  }
  static ByteBuffer by_zstd(int level, Bytes raw) {
    return test::compressed(*builtin_codec(CodecId::zstd, level), raw);
  }
  /// The strategies of this build, which may be without lz4.
  std::vector<CompressionStrategy> available() const {
    std::vector<CompressionStrategy> all(std::begin(kCompressionStrategies),
                                         std::end(kCompressionStrategies));
    std::erase_if(all, [this](auto strategy) { return !registry_.for_strategy(strategy); });
    return all;
  }
  // By the tests' clock, those that are built in take no time.
  static CodecRegistry only_zstd() {
    CodecRegistry registry;
    EXPECT_TRUE(registry.add(*CodecRegistry::builtin()->by_id(CodecId::zstd)));
    return registry;
  }
  /// Registers a codec that needs `per_byte`; counts what it works on.
  std::shared_ptr<std::size_t> add_slow(nanoseconds per_byte, double share, bool stoppable = true) {
    SlowCodec codec{.clock = clock_, .per_byte = per_byte, .share = share, .stoppable = stoppable};
    EXPECT_TRUE(registry_.add(CompressionCodec::of(codec)));
    return codec.worked;
  }

  CodecRegistry registry_ = *CodecRegistry::builtin();
  std::shared_ptr<nanoseconds> clock_ = std::make_shared<nanoseconds>(0);
};

std::string noise(std::size_t size) { return std::string(text_of(test::random_bytes(size))); }

/// Random letters of an alphabet of `letters`.
ByteBuffer letters_of(unsigned letters, std::size_t size) {
  ByteBuffer bytes = test::random_bytes(size);
  for (std::byte& b : bytes.span())
    b = static_cast<std::byte>(std::to_integer<unsigned>(b) * letters / 256);
  return bytes;
}

TEST_F(Compression, R15_4_AdaptiveWorksHarderWhereASampleSaysThatItPays) {
  const CompressionOptions adaptive{.strategy = CompressionStrategy::adaptive};
  const ByteBuffer text = words(300'000);
  EXPECT_TRUE(same(compressed(text, adaptive).payload, by_zstd(6, text)));
  // Seven bits and a little more of entropy: compressible, but not worth much work.
  const ByteBuffer dense = letters_of(160, 300'000);
  EXPECT_TRUE(same(compressed(dense, adaptive).payload, by_zstd(3, dense)));
  EXPECT_EQ(compressed(test::random_bytes(300'000), adaptive).codec, CodecId::none);
  const ByteBuffer code = test::machine_code(300'000);
  const Compressed filtered = compressed(code, adaptive);
  EXPECT_EQ(filtered.codec, CodecId::zstd_x86);
  EXPECT_TRUE(same(filtered.payload, test::compressed(*builtin_codec(CodecId::zstd_x86, 6), code)));
}

TEST_F(Compression, R15_2_BalancedIsLevel3ForAllContent) {
  const ByteBuffer text = words(100'000), dense = letters_of(160, 100'000);
  for (const Bytes raw : {Bytes(text), Bytes(dense)}) {
    EXPECT_TRUE(same(compressed(raw, {}).payload, by_zstd(3, raw)));
  }
}

TEST_F(Compression, R15_5_R16_2_WhatIsCompressedAlreadyIsNotCompressedAgainByAnyStrategy) {
  const auto worked = add_slow(0ns, 0.1);
  std::string png = "\x89PNG\r\n\x1A\n" + std::string(100, '\0') + noise(30'000);
  for (const std::string& content : {noise(400'000), png}) {
    for (const CompressionStrategy strategy : available()) {
      FrameCompressor made = compressor({.strategy = strategy});
      *worked = 0;
      EXPECT_EQ(made.choose(bytes_of(content)), nullptr);
      ByteBuffer payload(bytes_of("ab"));
      EXPECT_EQ(*made.compress(bytes_of(content), payload), CodecId::none);
      EXPECT_EQ(text_of(payload), "ab" + content) << name(strategy);
      EXPECT_EQ(*worked, 0U);
    }
  }
}

// Entropy alone would take it for random.
TEST_F(Compression, R15_5_ContentOfHighEntropyThatRepeatsItselfIsCompressed) {
  const std::string once = noise(100'000);
  const ByteBuffer thrice(bytes_of(once + once + once));
  FrameCompressor made = compressor({});
  EXPECT_NE(made.choose(thrice), nullptr);
  EXPECT_LT(compressed(thrice, {}).payload.size(), once.size() * 11 / 10);
}

TEST_F(Compression, R15_5_EmptyAndTinyContentIsNoTrouble) {
  for (const std::size_t size : {0U, 1U, 7U, 100U}) {
    const ByteBuffer raw = test::random_bytes(size);
    for (const CompressionStrategy strategy : available()) {
      const Compressed frame =
          compressed(raw, {.strategy = strategy, .max_compression_time_ms = 5});
      EXPECT_EQ(frame.codec, CodecId::none);
      EXPECT_TRUE(same(frame.payload, raw));
    }
  }
}

TEST_F(Compression, R15_6_WhatGainsTooLittleIsStoredAsItIs) {
  const ByteBuffer raw = letters_of(160, 300'000);
  const auto share = static_cast<double>(by_zstd(3, raw).size()) / static_cast<double>(raw.size());
  EXPECT_EQ(compressed(raw, {}).codec, CodecId::zstd);
  EXPECT_EQ(compressed(raw, {.min_ratio_threshold = share + 0.001}).codec, CodecId::zstd);
  const Compressed kept = compressed(raw, {.min_ratio_threshold = share - 0.001});
  EXPECT_EQ(kept.codec, CodecId::none);
  EXPECT_TRUE(same(kept.payload, raw));
  EXPECT_EQ(CompressionOptions{}.min_ratio_threshold, 0.95);
  EXPECT_EQ(compressed(words(9000), {.min_ratio_threshold = 0}).codec, CodecId::none);
}

TEST_F(Compression, R15_6_AThresholdThatIsNoShareIsRefused) {
  for (const double threshold : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    const auto refused = CompressionPlan::make(registry_, {.min_ratio_threshold = threshold});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
}

class TimedCompressionTest : public Compression {
 protected:
  Compressed timed(nanoseconds limit, const std::vector<CompressionCodec>& ladder) {
    CodecPaces paces;
    TimedCompression timing(now_() + limit, now_, paces);
    ByteBuffer payload(bytes_of("ab"));
    CompressionScratch scratch;
    for (const CompressionCodec& codec : ladder) {
      const auto done = timing.compress(codec, raw_, scratch, payload);
      EXPECT_TRUE(done);
      if (*done) return {codec.id(), std::move(payload)};
      EXPECT_EQ(text_of(payload), "ab");
    }
    return {CodecId::none, std::move(payload)};
  }
  CompressionCodec slow(nanoseconds per_byte, std::uint16_t number, bool stoppable = true) {
    SlowCodec codec{
        .clock = clock_, .per_byte = per_byte, .number = CodecId{number}, .stoppable = stoppable};
    worked_ = codec.worked;
    return CompressionCodec::of(codec);
  }

  Clock now_ = [this] { return *clock_; };
  ByteBuffer raw_ = words(kMiB);
  std::shared_ptr<std::size_t> worked_;
};

TEST_F(TimedCompressionTest, R15_7_TheFirstCodecThatIsFastEnoughCompresses) {
  const CompressionCodec slowest = slow(1000ns, 1024), slower = slow(100ns, 1025),
                         fast = slow(1ns, 1026);
  EXPECT_EQ(timed(2s, {slowest, slower, fast}).codec, CodecId{1024});
  EXPECT_EQ(timed(500ms, {slowest, slower, fast}).codec, CodecId{1025});
  EXPECT_EQ(timed(50ms, {slowest, slower, fast}).codec, CodecId{1026});
  EXPECT_EQ(timed(1ms, {slowest, slower, fast}).codec, CodecId::none);
}

TEST_F(TimedCompressionTest, R15_7_ATrialOfASmallPartTellsThatACodecIsTooSlow) {
  for (const bool stoppable : {true, false}) {
    const CompressionCodec codec = slow(1000ns, 1024, stoppable);
    EXPECT_EQ(timed(500ms, {codec}).codec, CodecId::none);
    EXPECT_EQ(*worked_, kMiB / 64);
  }
}

TEST_F(TimedCompressionTest, R15_7_ACodecThatIsFarTooSlowIsLeftOutForSomeFrames) {
  const CompressionCodec codec = slow(1000ns, 1024);
  CodecPaces paces;
  CompressionScratch scratch;
  ByteBuffer payload;
  for (int frame = 0; frame < 3; ++frame) {
    TimedCompression timing(now_() + 100ms, now_, paces);
    EXPECT_FALSE(*timing.compress(codec, raw_, scratch, payload));
  }
  EXPECT_EQ(*worked_, kMiB / 64);
  TimedCompression timing(now_() + 2s, now_, paces);
  EXPECT_TRUE(*timing.compress(codec, raw_, scratch, payload));
}

/// Fast on the trial and slow on all of it, as codecs with large windows are.
struct DeceivingCodec : SlowCodec {
  [[nodiscard]] Result<void> compress(Bytes, CompressionScratch&, ByteBuffer&) const { return {}; }
};

TEST_F(TimedCompressionTest, R15_7_ACodecThatBecomesSlowIsStoppedBeforeItsTimeIsUp) {
  const auto codec = CompressionCodec::of(DeceivingCodec{{.clock = clock_, .per_byte = 1000ns}});
  const nanoseconds begin = *clock_;
  EXPECT_EQ(timed(500ms, {codec}).codec, CodecId::none);
  EXPECT_LE(*clock_ - begin, 375ms);  // Three quarters.
  EXPECT_GE(*clock_ - begin, 250ms);
  // And the next codec has the rest.
  EXPECT_EQ(timed(500ms, {codec, slow(50ns, 1025)}).codec, CodecId{1025});
}

TEST_F(Compression, R15_7_WhatTakesTooLongIsCompressedByAFasterLevel) {
  // The first few looks at the clock are 100 ms apart, the others none.
  const auto by_slow_beginning = [&](int slow_looks, Bytes raw) {
    FrameCompressor made(*CompressionPlan::make(
        registry_, {CompressionStrategy::smallest, kMinRatioThreshold, 1000},
        [this, slow_looks] mutable { return *clock_ += slow_looks-- > 0 ? 100ms : 0ms; }));
    ByteBuffer payload;
    const auto codec = made.compress(raw, payload);
    EXPECT_TRUE(codec);
    return payload;
  };
  const ByteBuffer raw = words(300'000);
  EXPECT_TRUE(same(by_slow_beginning(0, raw), by_zstd(19, raw)));
  EXPECT_TRUE(same(by_slow_beginning(4, raw), by_zstd(3, raw)));
  EXPECT_TRUE(same(by_slow_beginning(7, raw), by_zstd(1, raw)));
  EXPECT_TRUE(same(by_slow_beginning(1000, raw), raw));
}

TEST_F(Compression, R22_3_AutoTakesACodecOfTheUsersOwnWhereItIsCheaper) {
  const CompressionOptions automatic{.strategy = CompressionStrategy::automatic};
  registry_ = only_zstd();
  EXPECT_EQ(compressed(words(300'000), automatic).codec, CodecId::zstd);
  add_slow(1ns, 0.01);
  EXPECT_EQ(compressed(words(300'000), automatic).codec, CodecId{1024});
}

TEST_F(Compression, R22_3_AutoWeighsBytesAgainstTime) {
  const CompressionOptions automatic{.strategy = CompressionStrategy::automatic};
  registry_ = only_zstd();
  const auto worked = add_slow(10'000ns, 0.01);
  FrameCompressor made = compressor(automatic);
  *worked = 0;
  ByteBuffer payload;
  EXPECT_EQ(*made.compress(words(300'000), payload), CodecId::zstd);
  EXPECT_EQ(*worked, 0U) << "a codec that cannot win is not even tried";
}

TEST_F(Compression, R22_3_AutoDoesWithoutZstd) {
  registry_ = CodecRegistry();
  ASSERT_TRUE(registry_.add(CompressionCodec::of(test::ToyCodec{})));
  EXPECT_EQ(compressed(test::zeros(100'000), {.strategy = CompressionStrategy::automatic}).codec,
            CodecId{1024});
}

TEST_F(Compression, R22_3_ACodecThatDamagesContentIsFoundBeforeAnythingIsStored) {
  ASSERT_TRUE(registry_.add(CompressionCodec::of(SlowCodec{.clock = clock_, .damages = true})));
  const auto refused =
      CompressionPlan::make(registry_, {.strategy = CompressionStrategy::automatic});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::codec_failed);
  EXPECT_THAT(refused.error().context, testing::HasSubstr("slow"));
}

TEST_F(Compression, R22_6_AStrategyWhoseCodecIsAbsentIsCodecUnavailable) {
  registry_ = CodecRegistry();
  for (const CompressionStrategy strategy : kCompressionStrategies) {
    const auto refused = CompressionPlan::make(registry_, {.strategy = strategy});
    ASSERT_FALSE(refused) << name(strategy);
    EXPECT_EQ(refused.error().code, ErrorCode::codec_unavailable);
  }
}

}  // namespace
}  // namespace chunker::pipeline
