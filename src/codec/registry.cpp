#include <algorithm>

#include "base/try.hpp"
#include "chunker/codec.hpp"
#include "codec/magic.hpp"

namespace chunker {

Result<void> CodecRegistry::add(CompressionCodec codec) {
  if (codec.name().empty()) {
    return base::fail(ErrorCode::invalid_argument, "a codec needs a name");
  }
  for (const CompressionCodec& other : codecs_) {
    if (other.id() == codec.id() || other.name() == codec.name()) {
      return base::fail(ErrorCode::invalid_argument, "another codec has this id or name",
                        Error::kNoOffset, std::string(codec.name()));
    }
  }
  codecs_.push_back(std::move(codec));
  return {};
}

Result<CompressionCodec> CodecRegistry::by_id(CodecId id) const {
  const auto found = std::ranges::find(codecs_, id, &CompressionCodec::id);
  if (found != codecs_.end()) return *found;
  return base::fail(ErrorCode::codec_unavailable, "no codec with this id is registered",
                    Error::kNoOffset, "codec " + std::to_string(std::to_underlying(id)));
}

Result<CompressionCodec> CodecRegistry::by_name(std::string_view name) const {
  const auto found = std::ranges::find(codecs_, name, &CompressionCodec::name);
  if (found != codecs_.end()) return *found;
  return base::fail(ErrorCode::codec_unavailable, "no codec with this name is registered",
                    Error::kNoOffset, std::string(name));
}

Result<CompressionCodec> CodecRegistry::detect(Bytes input) const {
  const CompressionCodec* best = nullptr;
  std::size_t best_bytes = 0;  // A codec without a signature never wins.
  for (const CompressionCodec& codec : codecs_) {
    const Bytes magic = codec.magic_bytes();
    if (magic.size() > best_bytes && codec::begins_with(input, magic)) {
      best = &codec;
      best_bytes = magic.size();
    }
  }
  if (best != nullptr) return *best;
  return base::fail(ErrorCode::codec_unavailable, "no registered codec writes such first bytes", 0);
}

}  // namespace chunker
