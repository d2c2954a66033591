#include "cli/compression_flags.hpp"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "cli/flags.hpp"
#include "codec/builtin.hpp"
#include "pipeline/frame_compressor.hpp"

namespace chunker::cli {

void CompressionFlags::add_to(CLI::App& command) {
  const std::string group = "How to compress";
  std::vector<std::string> names;
  for (const CompressionStrategy known : kCompressionStrategies) names.emplace_back(name(known));
  command
      .add_option("--strategy", strategy,
                  "lz4; zstd 3 (default); zstd 19; zstd 3 or 6, by the content; any codec, by it")
      ->option_text("fastest|balanced|smallest|adaptive|auto")
      ->check(CLI::IsMember(names))
      ->group(group);
  command.add_option("--zstd-level", zstd_level, "zstd's level if balanced, -7 to 22 (3)")
      ->option_text("LEVEL")
      ->check(CLI::Range(codec::kZstdLevelMin, codec::kZstdLevelMax))
      ->group(group);
  command
      .add_option("--min-ratio-threshold", options.min_ratio_threshold,
                  "Keep as it is what compresses to more than this share (0.95)")
      ->option_text("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  command
      .add_option("--max-compression-time-ms", options.max_compression_time_ms,
                  "Compress a chunk that would take longer by something faster (0: no limit)")
      ->option_text("MS")
      // Else it would take -18446744073709551615 for 1. The bound of NonNegativeNumber has 309 digits.
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{std::numeric_limits<std::uint32_t>::max()}))
      ->group(group);
}

Result<CompressionOptions> CompressionFlags::compression() const {
  CompressionOptions chosen = options;
  for (const CompressionStrategy known : kCompressionStrategies) {
    if (name(known) == strategy) chosen.strategy = known;
  }
  CHUNKER_TRY_VOID(pipeline::CompressionPlan::check(*CodecRegistry::builtin(), chosen));
  return chosen;
}

Result<std::shared_ptr<const CodecRegistry>> CompressionFlags::codecs() const {
  const auto builtin = CodecRegistry::builtin();
  if (!zstd_level) return builtin;
  if (strategy != name(CompressionStrategy::balanced)) {
    return std::unexpected(
        usage_error("--zstd-level goes with --strategy balanced only", strategy));
  }
  auto codecs = std::make_shared<CodecRegistry>();
  for (CompressionCodec codec : builtin->codecs()) {
    if (codec.id() == CodecId::zstd || codec.id() == CodecId::zstd_x86) {
      CHUNKER_TRY(codec, builtin_codec(codec.id(), *zstd_level));
    }
    CHUNKER_TRY_VOID(codecs->add(std::move(codec)));
  }
  return codecs;
}

}  // namespace chunker::cli
