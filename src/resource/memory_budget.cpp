#include "chunker/memory_budget.hpp"

#include <algorithm>
#include <list>
#include <string>

#include "base/mutex.hpp"
#include "base/try.hpp"

namespace chunker {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

MemoryBudgetOptions resolved(MemoryBudgetOptions options) {
  std::size_t& hard = options.hard_limit_bytes;
  std::size_t& soft = options.soft_limit_bytes;
  if (hard == 0) hard = kNoLimit;
  if (soft == 0 && hard == kNoLimit) soft = kNoLimit;
  if (soft == 0 || soft > hard) soft = hard - hard / 8;
  return options;
}

std::size_t room_below(std::size_t limit, std::size_t taken) noexcept {
  return taken < limit ? limit - taken : 0;
}

/// The sum, or the largest number: nothing like that can be had.
std::size_t sum_of(std::size_t fixed, std::size_t count, std::size_t each) noexcept {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return kNoLimit;
  return __builtin_add_overflow(fixed, bytes, &bytes) ? kNoLimit : bytes;
}

}  // namespace

struct MemoryBudget::State {
  struct Registered {
    std::uint64_t number;
    Evict evict;
  };

  mutable base::Mutex mutex;
  std::size_t reserved CHUNKER_GUARDED_BY(mutex) = 0;
  /// What is reserved and what will be, once caches have made way.
  std::size_t promised CHUNKER_GUARDED_BY(mutex) = 0;
  std::size_t kept CHUNKER_GUARDED_BY(mutex) = 0;
  MemoryUsage usage CHUNKER_GUARDED_BY(mutex);

  /// Held while caches are asked, so that none ends meanwhile. Before `mutex`.
  base::Mutex evicting;
  std::list<Registered> evictors CHUNKER_GUARDED_BY(evicting);
  std::uint64_t next_number CHUNKER_GUARDED_BY(evicting) = 0;

  void count_one() noexcept CHUNKER_REQUIRES(mutex) {
    ++usage.allocation_count;
    usage.peak_usage_bytes = std::max(usage.peak_usage_bytes, reserved + kept);
  }
  std::size_t kept_now() const noexcept {
    const base::Lock lock(mutex);
    return kept;
  }
  std::size_t promised_now() const noexcept {
    const base::Lock lock(mutex);
    return promised;
  }
};

MemoryBudget::MemoryBudget(MemoryBudgetOptions options)
    : options_(resolved(std::move(options))), state_(std::make_unique<State>()) {}

MemoryBudget::~MemoryBudget() = default;

std::unexpected<Error> MemoryBudget::refuse(std::size_t bytes) const {
  return base::fail(ErrorCode::memory_limit_exceeded, "the memory budget does not allow this",
                    Error::kNoOffset,
                    std::to_string(bytes) + " bytes are needed, " + std::to_string(hard_room()) +
                        " of " + std::to_string(options_.hard_limit_bytes) + " are left");
}

Result<MemoryBudget::Reservation> MemoryBudget::reserve(std::size_t bytes) {
  CHUNKER_TRY(Share share, reserve_for(1, bytes));
  return std::move(share.memory);
}

Result<MemoryBudget::Share> MemoryBudget::reserve_for(std::size_t count_max, std::size_t each_bytes,
                                                      std::size_t fixed_bytes) {
  const std::size_t least = sum_of(fixed_bytes, 1, each_bytes);
  std::size_t bytes = least;
  std::size_t count = 1;
  bool is_room = false;
  std::size_t in_the_way = 0;
  {
    const base::Lock lock(state_->mutex);
    is_room = least <= room_below(options_.hard_limit_bytes, state_->promised);
    const std::size_t room = room_below(options_.soft_limit_bytes, state_->promised);
    if (least <= room && each_bytes != 0) {
      count = std::clamp<std::size_t>((room - fixed_bytes) / each_bytes, 1, count_max);
      bytes = fixed_bytes + count * each_bytes;
    }
    if (is_room) {
      state_->promised += bytes;
      const std::size_t wanted = state_->promised + state_->kept;
      in_the_way = wanted - std::min(options_.soft_limit_bytes, wanted);
    }
  }
  if (!is_room) return refuse(least);
  if (in_the_way != 0) evict(in_the_way);
  if (take_promised(bytes)) return Share{Reservation(*this, bytes), count};
  return refuse(bytes);
}

/// False, and all is as before the promise, if caches have not made way.
bool MemoryBudget::take_promised(std::size_t bytes) noexcept {
  const base::Lock lock(state_->mutex);
  const std::size_t taken = state_->reserved + state_->kept;
  if (bytes > room_below(options_.hard_limit_bytes, taken)) {
    state_->promised -= bytes;
    return false;
  }
  state_->reserved += bytes;
  state_->count_one();
  return true;
}

void MemoryBudget::give_back(std::size_t bytes) noexcept {
  const base::Lock lock(state_->mutex);
  state_->reserved -= bytes;
  state_->promised -= bytes;
}

bool MemoryBudget::try_keep(std::size_t bytes) noexcept {
  const base::Lock lock(state_->mutex);
  const std::size_t taken = state_->promised + state_->kept;
  if (bytes > room_below(options_.soft_limit_bytes, taken)) return false;
  state_->kept += bytes;
  state_->count_one();
  return true;
}

void MemoryBudget::let_go(std::size_t bytes) noexcept {
  const base::Lock lock(state_->mutex);
  state_->kept -= bytes;
}

MemoryBudget::Evictor MemoryBudget::add_evictor(Evict evict) {
  const base::Lock lock(state_->evicting);
  const std::uint64_t number = state_->next_number++;
  // What was made last may stand on what was made before.
  state_->evictors.push_front({number, std::move(evict)});
  return Evictor(*this, number);
}

void MemoryBudget::remove_evictor(std::uint64_t number) noexcept {
  const base::Lock lock(state_->evicting);
  state_->evictors.remove_if([number](const auto& one) { return one.number == number; });
}

void MemoryBudget::evict(std::size_t bytes) noexcept {
  const base::Lock lock(state_->evicting);
  const std::size_t before = state_->kept_now();
  const std::size_t wanted = before - std::min(before, bytes);
  for (const State::Registered& cache : state_->evictors) {
    const std::size_t kept = state_->kept_now();
    if (kept <= wanted && bytes != kNoLimit) return;
    cache.evict(bytes == kNoLimit ? kNoLimit : kept - wanted);
  }
}

ByteBuffer MemoryBudget::allocate(std::size_t bytes) {
  const auto once = [&] {
    if (options_.allocate) return options_.allocate(bytes);
    ByteBuffer buffer;
    buffer.reserve(bytes);
    return buffer;
  };
  return retrying(once);
}

Result<void> MemoryBudget::check_buffer(std::uint64_t bytes) const {
  if (bytes <= options_.max_buffer_size) return {};
  return base::fail(ErrorCode::memory_limit_exceeded, "a buffer would become too large",
                    Error::kNoOffset,
                    std::to_string(bytes) + " bytes are needed, " +
                        std::to_string(options_.max_buffer_size) + " are allowed");
}

MemoryUsage MemoryBudget::usage() const {
  const base::Lock lock(state_->mutex);
  MemoryUsage usage = state_->usage;
  usage.current_usage_bytes = state_->reserved + state_->kept;
  return usage;
}

std::size_t MemoryBudget::soft_room() const noexcept {
  return room_below(options_.soft_limit_bytes, state_->promised_now());
}

std::size_t MemoryBudget::hard_room() const noexcept {
  return room_below(options_.hard_limit_bytes, state_->promised_now());
}

}  // namespace chunker
