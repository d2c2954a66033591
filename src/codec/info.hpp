#pragma once

#include <cstdint>
#include <string>

#include "chunker/codec.hpp"

namespace chunker::codec {

/// What the codec of this id is called; its number, if the registry does not have it.
[[nodiscard]] inline AlgorithmInfo info_of(const CodecRegistry& registry, CodecId id) {
  if (const auto codec = registry.by_id(id)) return codec->info();
  return {AlgorithmKind::codec, std::to_string(static_cast<std::uint16_t>(id)), {}};
}

}  // namespace chunker::codec
