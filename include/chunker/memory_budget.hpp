#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct MemoryBudgetOptions {
  /// Beyond this caches make way, and operations make do with smaller and fewer buffers (R9.2); 0, or more than the
  /// hard limit, is seven eighths of that.
  std::size_t soft_limit_bytes = 0;
  /// More than this is never given: memory_limit_exceeded instead (R9.3); 0 is without end.
  std::size_t hard_limit_bytes = 0;
  /// No single buffer becomes larger, whatever an input asks for (R9.4).
  std::size_t max_buffer_size = std::size_t{256} << 20;
  /// Where allocate() has buffers of some capacity from: the heap if empty. It throws std::bad_alloc.
  std::function<ByteBuffer(std::size_t)> allocate{};
};

/// Since the budget was made (R9.6).
struct MemoryUsage {
  std::size_t current_usage_bytes = 0;
  std::size_t peak_usage_bytes = 0;
  std::uint64_t allocation_count = 0;  ///< How often some of it was given out.
};

/// Memory that operations and caches share. An operation reserves what it needs at most before it begins, so that it
/// does not fail halfway; caches keep what nobody has reserved, up to the soft limit, and make way for whoever reserves.
/// Owns:    the counts; nothing that is counted.
/// Threads: shared.
/// Errors:  memory_limit_exceeded, with how much was needed and how much is left.
/// Cost:    a short lock per reservation and per buffer or entry that a cache keeps; never one per byte.
class MemoryBudget {
 public:
  /// Told how many bytes are wanted; frees as many of a cache, or what there is. Called from any thread; must not throw,
  /// and must not reserve.
  using Evict = std::function<void(std::size_t bytes)>;

  /// Without limits unless told otherwise.
  explicit MemoryBudget(MemoryBudgetOptions options = {});
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// Memory that an operation may use until this ends.
  /// Owns:    its share; borrows the budget.
  /// Threads: movable.
  /// Errors:  none.
  /// Cost:    two words.
  class Reservation {
   public:
    Reservation() noexcept = default;
    Reservation(Reservation&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Reservation& operator=(Reservation&& other) noexcept {
      Reservation old(std::move(*this));
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Reservation() {
      if (budget_ != nullptr) budget_->give_back(bytes_);
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// Gives back what is above `bytes`.
    void shrink_to(std::size_t bytes) noexcept {
      if (bytes >= bytes_) return;
      budget_->give_back(bytes_ - bytes);
      bytes_ = bytes;
    }

   private:
    friend class MemoryBudget;
    Reservation(MemoryBudget& budget, std::size_t bytes) noexcept
        : budget_(&budget), bytes_(bytes) {}
    MemoryBudget* budget_ = nullptr;
    std::size_t bytes_ = 0;
  };

  /// A cache's word to make way, as long as this lives. When it ends, no call of the function is under way.
  /// Owns:    its place among the others; borrows the budget.
  /// Threads: movable.
  /// Errors:  none.
  /// Cost:    one place in a list.
  class Evictor {
   public:
    Evictor() noexcept = default;
    Evictor(Evictor&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), number_(other.number_) {}
    Evictor& operator=(Evictor&& other) noexcept {
      Evictor old(std::move(*this));
      budget_ = std::exchange(other.budget_, nullptr);
      number_ = other.number_;
      return *this;
    }
    ~Evictor() {
      if (budget_ != nullptr) budget_->remove_evictor(number_);
    }

   private:
    friend class MemoryBudget;
    Evictor(MemoryBudget& budget, std::uint64_t number) noexcept
        : budget_(&budget), number_(number) {}
    MemoryBudget* budget_ = nullptr;
    std::uint64_t number_ = 0;
  };

  /// Memory for `count` operations at once.
  struct Share {
    Reservation memory;
    std::size_t count;
  };

  /// So much; caches make way. Errors: memory_limit_exceeded beyond the hard limit.
  [[nodiscard]] Result<Reservation> reserve(std::size_t bytes);
  /// For as many operations of `each_bytes` as fit below the soft limit beside `fixed_bytes`, up to `count_max`; for one
  /// if that fits below the hard limit (R9.5). Errors: memory_limit_exceeded if not even one fits.
  [[nodiscard]] Result<Share> reserve_for(std::size_t count_max, std::size_t each_bytes,
                                          std::size_t fixed_bytes = 0);

  /// Counts what a cache is about to keep; false if that would be more than the soft limit.
  [[nodiscard]] bool try_keep(std::size_t bytes) noexcept;
  /// Takes back what try_keep() counted.
  void let_go(std::size_t bytes) noexcept;
  [[nodiscard]] Evictor add_evictor(Evict evict);
  /// Asks caches, the one added last first, until so much is free of what they kept.
  void evict(std::size_t bytes = std::numeric_limits<std::size_t>::max()) noexcept;

  /// What `work` returns. If the system has no memory for it, caches are evicted, all of them, and it is done once more
  /// (R11.1): then it throws std::bad_alloc.
  template <class Work>
  auto retrying(const Work& work) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      evict();
    }
    return work();
  }
  /// An empty buffer with room for `bytes`, which somebody has reserved; retrying.
  [[nodiscard]] ByteBuffer allocate(std::size_t bytes);
  /// Whether a buffer may be so large. Errors: memory_limit_exceeded.
  [[nodiscard]] Result<void> check_buffer(std::uint64_t bytes) const;

  [[nodiscard]] MemoryUsage usage() const;
  /// What is not reserved, counting what caches would give up.
  [[nodiscard]] std::size_t soft_room() const noexcept;
  [[nodiscard]] std::size_t hard_room() const noexcept;
  /// With the limits that hold; the largest number there is stands for no limit.
  [[nodiscard]] const MemoryBudgetOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool is_limited() const noexcept {
    return options_.hard_limit_bytes != std::numeric_limits<std::size_t>::max();
  }

 private:
  struct State;
  [[nodiscard]] bool take_promised(std::size_t bytes) noexcept;
  void give_back(std::size_t bytes) noexcept;
  void remove_evictor(std::uint64_t number) noexcept;
  [[nodiscard]] std::unexpected<Error> refuse(std::size_t bytes) const;

  const MemoryBudgetOptions options_;
  const std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<MemoryBudgetOptions> = Threads::shared;
template <>
inline constexpr Threads threads_of<MemoryUsage> = Threads::shared;
template <>
inline constexpr Threads threads_of<MemoryBudget> = Threads::shared;
template <>
inline constexpr Threads threads_of<MemoryBudget::Reservation> = Threads::movable;
template <>
inline constexpr Threads threads_of<MemoryBudget::Evictor> = Threads::movable;

}  // namespace chunker
