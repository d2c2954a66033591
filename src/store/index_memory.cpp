#include "store/index_memory.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"

namespace chunker::store {
namespace {

constexpr std::size_t kBlockCacheBytes = 16 << 20;
/// With less every look-up reads, and reads again.
constexpr std::size_t kBlockCacheBytesMin = 1 << 20;
constexpr std::size_t kWriteBufferBytes = 8 << 20;
/// A few ten thousand chunks between two flushes.
constexpr std::size_t kWriteBufferBytesMin = 1 << 20;
/// Of the soft limit, what the buffers for writes, and at first the cache, may take.
constexpr std::size_t kShare = 32;
/// What flushing and compacting take beside.
constexpr std::size_t kWorkBytes = 3 << 20;

std::size_t share_of(const MemoryBudget& budget, std::size_t least, std::size_t most) {
  return std::clamp(budget.options().soft_limit_bytes / kShare, least, most);
}

}  // namespace

IndexMemory::IndexMemory(std::shared_ptr<MemoryBudget> budget, std::size_t write_buffer_bytes)
    : budget_(std::move(budget)), write_buffer_bytes_(write_buffer_bytes) {}

Result<std::unique_ptr<IndexMemory>> IndexMemory::make(std::shared_ptr<MemoryBudget> budget,
                                                       bool for_writing) {
  if (budget == nullptr) budget = std::make_shared<MemoryBudget>();
  const std::size_t write_buffer_bytes = share_of(*budget, kWriteBufferBytesMin, kWriteBufferBytes);
  std::unique_ptr<IndexMemory> memory(new IndexMemory(std::move(budget), write_buffer_bytes));
  const std::size_t buffers = for_writing ? kWriteBuffers * write_buffer_bytes + kWorkBytes : 0;
  CHUNKER_TRY(memory->needed_, memory->budget_->reserve(kBlockCacheBytesMin + buffers));
  memory->keep_what_fits();
  return memory;
}

void IndexMemory::keep_what_fits() {
  std::size_t bytes = share_of(*budget_, kBlockCacheBytesMin, kBlockCacheBytes);
  while (bytes > kBlockCacheBytesMin && !budget_->try_keep(bytes - kBlockCacheBytesMin)) bytes /= 2;
  bytes = std::max(bytes, kBlockCacheBytesMin);
  kept_bytes_ = bytes - kBlockCacheBytesMin;
  cache_ = rocksdb::NewLRUCache(bytes);
  evictor_ = budget_->add_evictor([this](std::size_t wanted) { give_way(wanted); });
}

/// What it gives up it does not get back.
void IndexMemory::give_way(std::size_t bytes) noexcept {
  const std::size_t freed = std::min<std::size_t>(bytes, kept_bytes_);
  kept_bytes_ -= freed;
  cache_->SetCapacity(kBlockCacheBytesMin + kept_bytes_);
  budget_->let_go(freed);
}

IndexMemory::~IndexMemory() {
  evictor_ = {};
  budget_->let_go(kept_bytes_);
}

}  // namespace chunker::store
