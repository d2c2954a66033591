#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "chunker/bytes.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Keeps buffers between operations (R5.3). Their pages are touched already, and fresh ones cost more than most
/// work done in them: decoding into them runs at half its speed or less (bench/RESULTS.md, "Scratch buffers").
/// Owns:    what was given back, up to a bound.
/// Threads: shared.
/// Errors:  none; take() throws std::bad_alloc when memory is exhausted.
/// Cost:    a lock of the thread's own, about 20 ns; those of others only when it has nothing that fits.
class ScratchPool {
 public:
  static constexpr std::size_t kHeldBytesMax = std::size_t{32} << 20;

  /// With a budget what lies here counts there and makes way; what was taken is for the taker to reserve (R9.1).
  explicit ScratchPool(std::size_t held_bytes_max = kHeldBytesMax,
                       std::shared_ptr<MemoryBudget> budget = nullptr);
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  ~ScratchPool();

  /// An empty buffer with room for `bytes`, or for more: the smallest that the thread has here, else one of
  /// another thread's, else a new one. If the system has no memory, the pool is emptied, or all caches of the budget are,
  /// and it is tried once more (R11.1).
  [[nodiscard]] ByteBuffer take(std::size_t bytes);
  /// Keeps `used` for the next one who takes; frees it if the pool would hold more than its bound.
  void give(ByteBuffer used) noexcept;

  /// The capacities of all buffers that lie here now; those that were taken do not count.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }
  /// Frees buffers until no more than `bytes` are held.
  void shrink_to(std::size_t bytes) noexcept;
  /// How often take() had to allocate.
  [[nodiscard]] std::uint64_t allocation_count() const noexcept { return allocation_count_; }

 private:
  struct Drawer;
  static constexpr std::size_t kDrawerCount = 16;

  [[nodiscard]] Drawer& drawer_of_this_thread(std::size_t further) noexcept;
  [[nodiscard]] ByteBuffer make(std::size_t bytes);
  void forget(std::size_t bytes) noexcept;

  const std::size_t held_bytes_max_;
  std::atomic<std::size_t> held_bytes_{0};
  std::atomic<std::uint64_t> allocation_count_{0};
  const std::unique_ptr<Drawer[]> drawers_;
  const std::shared_ptr<MemoryBudget> budget_;  ///< May be null.
  const MemoryBudget::Evictor evictor_;
};

template <>
inline constexpr Threads threads_of<ScratchPool> = Threads::shared;

/// A buffer from a pool, which gets it back in the end.
/// Owns:    the buffer; borrows the pool.
/// Threads: movable.
/// Errors:  those of the pool.
/// Cost:    that of the pool, whenever more room is needed than there is.
class ScratchBuffer {
 public:
  explicit ScratchBuffer(ScratchPool& pool) noexcept : pool_(&pool) {}
  ScratchBuffer(ScratchPool& pool, ByteBuffer bytes) noexcept
      : pool_(&pool), bytes_(std::move(bytes)) {}
  ScratchBuffer(ScratchBuffer&&) noexcept = default;
  ScratchBuffer& operator=(ScratchBuffer&& other) noexcept {
    pool_->give(std::exchange(bytes_, std::move(other.bytes_)));
    pool_ = other.pool_;
    return *this;
  }
  ~ScratchBuffer() { pool_->give(std::move(bytes_)); }

  [[nodiscard]] ByteBuffer& bytes() noexcept { return bytes_; }
  [[nodiscard]] const ByteBuffer& bytes() const noexcept { return bytes_; }
  /// Empties it and makes room for `bytes`.
  [[nodiscard]] ByteBuffer& emptied(std::size_t bytes) {
    if (bytes_.capacity() < bytes) {
      pool_->give(std::move(bytes_));
      bytes_ = pool_->take(bytes);
    }
    bytes_.clear();
    return bytes_;
  }
  /// The buffer itself, for whoever keeps it longer.
  [[nodiscard]] ByteBuffer release() noexcept { return std::move(bytes_); }

 private:
  ScratchPool* pool_;
  ByteBuffer bytes_;
};

template <>
inline constexpr Threads threads_of<ScratchBuffer> = Threads::movable;

}  // namespace chunker
