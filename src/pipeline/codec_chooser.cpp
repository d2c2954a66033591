#include "pipeline/codec_chooser.hpp"

#include "base/try.hpp"
#include "codec/x86_filter.hpp"

namespace chunker::pipeline {
namespace {

// Content of less entropy, which is most of it, becomes 5 to 10 percent smaller at level 6, for 0.36 us a byte
// saved; beyond it is 1 percent and twice as dear. Levels 7 to 9 save another percent for 2 us a byte
// (bench/RESULTS.md, "Strategies").
constexpr float kHarderEntropyMax = 7.0F;
constexpr int kHarderLevel = 6;

// What is left for content that took too long; lz4 follows if it is there.
constexpr int kFasterLevels[] = {3, 1, -5};

bool is_zstd(const CompressionCodec& codec) noexcept {
  return codec.id() == CodecId::zstd || codec.id() == CodecId::zstd_x86;
}

}  // namespace

Result<CodecChooser> CodecChooser::make(const CodecRegistry& registry, CompressionStrategy strategy,
                                        const Clock& now) {
  CHUNKER_TRY(CompressionCodec plain, registry.for_strategy(strategy));
  CHUNKER_TRY(CompressionCodec x86, registry.for_x86_code(strategy));
  CodecChooser chooser({plain, x86}, {plain, x86});
  const bool adapts =
      strategy == CompressionStrategy::adaptive || strategy == CompressionStrategy::automatic;
  if (adapts && is_zstd(plain)) {
    CHUNKER_TRY(chooser.harder_.plain, builtin_codec(plain.id(), kHarderLevel));
    CHUNKER_TRY(chooser.harder_.x86, builtin_codec(x86.id(), kHarderLevel));
  }
  if (strategy == CompressionStrategy::automatic) {
    CHUNKER_TRY(chooser.cheapest_, CheapestCodec::make(registry, {plain.id(), x86.id()}, now));
  }
  CHUNKER_TRY_VOID(chooser.add_faster(registry, strategy));
  return chooser;
}

Result<void> CodecChooser::add_faster(const CodecRegistry& registry, CompressionStrategy strategy) {
  if (is_zstd(usual_.plain)) {
    for (const int level : kFasterLevels) {
      if (level == kFasterLevels[0] && strategy == CompressionStrategy::balanced) continue;
      CHUNKER_TRY(auto faster, builtin_codec(CodecId::zstd, level));
      faster_.push_back(std::move(faster));
    }
  }
  const auto lz4 = registry.by_id(CodecId::lz4);
  if (lz4 && usual_.plain.id() != CodecId::lz4) faster_.push_back(*lz4);
  return {};
}

const CompressionCodec& CodecChooser::choose(Bytes content, const ContentProfile& profile,
                                             CompressionScratch& scratch) const {
  const Level& level = profile.entropy_estimate < kHarderEntropyMax ? harder_ : usual_;
  if (cheapest_) {
    const CompressionCodec* const found = cheapest_->choose(content, scratch);
    if (found != nullptr && !is_zstd(*found)) return *found;
  }
  return codec::looks_like_x86(content) ? level.x86 : level.plain;
}

}  // namespace chunker::pipeline
