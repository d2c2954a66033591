#include "chunker/scratch_pool.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <utility>

#include "base/mutex.hpp"

namespace chunker {
namespace {

constexpr std::size_t kBuffersPerDrawer = 16;
/// What is smaller comes from memory that malloc keeps by itself.
constexpr std::size_t kSmallestBytes = 64 << 10;

/// Up to a quarter more than asked for, so that a buffer fits for neighboring sizes as well.
std::size_t rounded(std::size_t bytes) noexcept {
  const std::size_t wanted = std::max(bytes, kSmallestBytes);
  const std::size_t step = std::bit_floor(wanted) / 4;
  const std::size_t up = (wanted + step - 1) / step * step;
  return std::max(up, wanted);  // At the very end of the numbers there is no next step.
}

std::size_t number_of_this_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next++;
  return mine;
}

}  // namespace

/// What threads of one number gave back, and others whose drawers are full. Most threads have one to themselves.
struct alignas(64) ScratchPool::Drawer {
  base::Mutex mutex;
  std::array<ByteBuffer, kBuffersPerDrawer> buffers CHUNKER_GUARDED_BY(mutex);

  /// Of no capacity if none fits.
  ByteBuffer take_smallest(std::size_t bytes) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    ByteBuffer* best = nullptr;
    for (ByteBuffer& buffer : buffers) {
      if (buffer.capacity() == 0 || buffer.capacity() < bytes) continue;
      if (best == nullptr || buffer.capacity() < best->capacity()) best = &buffer;
    }
    return best == nullptr ? ByteBuffer() : std::exchange(*best, ByteBuffer());
  }

  /// False, with `used` as it was, if there is no room.
  bool put(ByteBuffer& used) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    const auto room = std::ranges::find(buffers, std::size_t{0}, &ByteBuffer::capacity);
    if (room == buffers.end()) return false;
    *room = std::move(used);
    return true;
  }
};

ScratchPool::ScratchPool(std::size_t held_bytes_max, std::shared_ptr<MemoryBudget> budget)
    : held_bytes_max_(held_bytes_max),
      drawers_(std::make_unique<Drawer[]>(kDrawerCount)),
      budget_(std::move(budget)),
      evictor_(budget_ == nullptr ? MemoryBudget::Evictor()
                                  : budget_->add_evictor([this](std::size_t bytes) {
                                      const std::size_t held = held_bytes_;
                                      shrink_to(held - std::min(held, bytes));
                                    })) {}

ScratchPool::~ScratchPool() { shrink_to(0); }

ScratchPool::Drawer& ScratchPool::drawer_of_this_thread(std::size_t further) noexcept {
  return drawers_[(number_of_this_thread() + further) % kDrawerCount];
}

ByteBuffer ScratchPool::take(std::size_t bytes) {
  for (std::size_t i = 0; i < kDrawerCount && held_bytes_ >= bytes; ++i) {
    ByteBuffer found = drawer_of_this_thread(i).take_smallest(bytes);
    if (found.capacity() == 0) continue;
    forget(found.capacity());
    found.clear();
    return found;
  }
  // One that is too small makes way: so there are never more buffers than were out at once, and they end up large
  // enough.
  forget(drawer_of_this_thread(0).take_smallest(0).capacity());
  ++allocation_count_;
  return make(rounded(bytes));
}

ByteBuffer ScratchPool::make(std::size_t bytes) {
  if (budget_ != nullptr) return budget_->allocate(bytes);
  ByteBuffer made;
  try {
    made.reserve(bytes);
  } catch (const std::bad_alloc&) {
    shrink_to(0);
    made.reserve(bytes);
  }
  return made;
}

/// No longer holds so much.
void ScratchPool::forget(std::size_t bytes) noexcept {
  if (bytes == 0) return;
  held_bytes_ -= bytes;
  if (budget_ != nullptr) budget_->let_go(bytes);
}

void ScratchPool::give(ByteBuffer used) noexcept {
  const std::size_t bytes = used.capacity();
  if (bytes < kSmallestBytes) return;
  if (bytes > held_bytes_max_) return;
  // Counted first: two that come at once must not both find room for one.
  if (held_bytes_.fetch_add(bytes) > held_bytes_max_ - bytes) {
    held_bytes_ -= bytes;
    return;
  }
  if (budget_ != nullptr && !budget_->try_keep(bytes)) {
    held_bytes_ -= bytes;
    return;
  }
  for (std::size_t i = 0; i < kDrawerCount; ++i) {
    if (drawer_of_this_thread(i).put(used)) return;
  }
  forget(bytes);
}

void ScratchPool::shrink_to(std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < kDrawerCount; ++i) {
    while (held_bytes_ > bytes) {
      const ByteBuffer freed = drawers_[i].take_smallest(0);
      if (freed.capacity() == 0) break;
      forget(freed.capacity());
    }
  }
}

}  // namespace chunker
