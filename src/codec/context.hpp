#pragma once

#include "chunker/codec.hpp"

namespace chunker::codec {

/// The Context that an earlier call left in the scratch, or a new one.
template <class Context>
[[nodiscard]] Context& kept_context(CompressionScratch& scratch, CodecId id, bool compressing) {
  std::shared_ptr<void>& slot = scratch.slot(id, compressing);
  if (slot == nullptr) slot = std::make_shared<Context>();
  return *static_cast<Context*>(slot.get());
}

}  // namespace chunker::codec
