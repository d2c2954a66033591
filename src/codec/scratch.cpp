#include <algorithm>

#include "chunker/codec.hpp"

namespace chunker {

struct CompressionScratch::Slots {
  struct Slot {
    CodecId id;
    bool compressing;
    std::unique_ptr<std::shared_ptr<void>> kept;  // Apart, so that references to it stay good.
  };
  std::vector<Slot> all;
};

CompressionScratch::CompressionScratch() : slots_(std::make_unique<Slots>()) {}
CompressionScratch::CompressionScratch(CompressionScratch&&) noexcept = default;
CompressionScratch& CompressionScratch::operator=(CompressionScratch&&) noexcept = default;
CompressionScratch::~CompressionScratch() = default;

std::shared_ptr<void>& CompressionScratch::slot(CodecId id, bool compressing) {
  const auto found = std::ranges::find_if(slots_->all, [&](const Slots::Slot& slot) {
    return slot.id == id && slot.compressing == compressing;
  });
  if (found != slots_->all.end()) return *found->kept;
  slots_->all.emplace_back(id, compressing, std::make_unique<std::shared_ptr<void>>());
  return *slots_->all.back().kept;
}

}  // namespace chunker
