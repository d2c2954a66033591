#include "codec/builtin.hpp"

#include "base/check.hpp"
#include "base/try.hpp"

namespace chunker {

std::shared_ptr<const CodecRegistry> CodecRegistry::builtin() {
  static const std::shared_ptr<const CodecRegistry> all = [] {
    auto registry = std::make_shared<CodecRegistry>();
    for (auto& codec : {
             codec::make_none(),
             codec::make_zstd(codec::kZstdLevel),
             codec::make_zstd_x86(codec::kZstdLevel),
             codec::make_lz4(codec::kLz4Level),
             codec::make_xz(codec::kXzLevel),
             codec::make_bzip2(codec::kBzip2Level),
         }) {
      if (codec) CHUNKER_CHECK(registry->add(*codec));
    }
    return registry;
  }();
  return all;
}

Result<CompressionCodec> builtin_codec(CodecId id, int level) {
  switch (id) {
    case CodecId::none:
      return codec::make_none();
    case CodecId::zstd:
      return codec::make_zstd(level);
    case CodecId::zstd_x86:
      return codec::make_zstd_x86(level);
    case CodecId::lz4:
      return codec::make_lz4(level);
    case CodecId::xz:
      return codec::make_xz(level);
    case CodecId::bzip2:
      return codec::make_bzip2(level);
  }
  return base::fail(ErrorCode::codec_unavailable, "no codec of ours has this id");
}

std::string_view name(CompressionStrategy strategy) noexcept {
  switch (strategy) {
    case CompressionStrategy::fastest:
      return "fastest";
    case CompressionStrategy::balanced:
      return "balanced";
    case CompressionStrategy::smallest:
      return "smallest";
    case CompressionStrategy::adaptive:
      return "adaptive";
    case CompressionStrategy::automatic:
      return "auto";
  }
  return "unknown";
}

Result<CompressionCodec> CodecRegistry::for_strategy(CompressionStrategy strategy) const {
  switch (strategy) {
    case CompressionStrategy::fastest:
      return by_id(CodecId::lz4);
    case CompressionStrategy::balanced:
    case CompressionStrategy::adaptive:
      return by_id(CodecId::zstd);
    case CompressionStrategy::automatic:
      if (const auto zstd = by_id(CodecId::zstd); zstd || codecs_.empty()) return zstd;
      return codecs_.front();
    case CompressionStrategy::smallest:
      CHUNKER_TRY_VOID(by_id(CodecId::zstd));
      return codec::make_zstd(codec::kZstdLevelSmallest);
  }
  return base::fail(ErrorCode::invalid_argument, "no such compression strategy");
}

Result<CompressionCodec> CodecRegistry::for_x86_code(CompressionStrategy strategy) const {
  CHUNKER_TRY(const CompressionCodec codec, for_strategy(strategy));
  const auto filtered = by_id(CodecId::zstd_x86);
  if (codec.id() != CodecId::zstd || !filtered) return codec;
  return strategy == CompressionStrategy::smallest ? codec::make_zstd_x86(codec::kZstdLevelSmallest)
                                                   : filtered;
}

}  // namespace chunker
