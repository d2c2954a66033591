#pragma once

#include <rocksdb/cache.h>

#include <atomic>
#include <cstddef>
#include <memory>

#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"

namespace chunker::store {

/// Memory of an index: its cached blocks, which make way, and what it must have.
/// Owns:    the cache.
/// Threads: shared.
/// Errors:  memory_limit_exceeded.
/// Cost:    none beside what it counts.
class IndexMemory {
 public:
  static constexpr int kWriteBuffers = 2;

  /// Without a budget, or with one that has no limit, as much as is good.
  [[nodiscard]] static Result<std::unique_ptr<IndexMemory>> make(
      std::shared_ptr<MemoryBudget> budget, bool for_writing);
  ~IndexMemory();
  IndexMemory(const IndexMemory&) = delete;
  IndexMemory& operator=(const IndexMemory&) = delete;

  [[nodiscard]] const std::shared_ptr<rocksdb::Cache>& block_cache() const noexcept {
    return cache_;
  }
  [[nodiscard]] std::size_t write_buffer_bytes() const noexcept { return write_buffer_bytes_; }

 private:
  IndexMemory(std::shared_ptr<MemoryBudget> budget, std::size_t write_buffer_bytes);
  void keep_what_fits();
  void give_way(std::size_t bytes) noexcept;

  const std::shared_ptr<MemoryBudget> budget_;
  const std::size_t write_buffer_bytes_;
  MemoryBudget::Reservation needed_;
  std::atomic<std::size_t> kept_bytes_{0};
  std::shared_ptr<rocksdb::Cache> cache_;
  MemoryBudget::Evictor evictor_;  ///< Last: what it calls is still there when it ends.
};

}  // namespace chunker::store
