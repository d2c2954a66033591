// Counts what the cache takes from the heap, and lets allocations fail one after the other.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "chunker/hash_cache.hpp"

namespace {

/// What malloc keeps for a block besides.
constexpr std::size_t kBlockBytes = sizeof(std::size_t);

std::atomic<std::size_t> heap_bytes = 0;
constinit thread_local int allocations_left = -1;  ///< Until one fails; negative is without end.

}  // namespace

// Inlined, g++ takes the malloc inside for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  heap_bytes += malloc_usable_size(block) + kBlockBytes;
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  if (block != nullptr) heap_bytes -= malloc_usable_size(block) + kBlockBytes;
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}

namespace chunker {
namespace {

Digest truth(std::string_view content) { return HashAlgorithm::sha256().hash(bytes_of(content)); }

TEST(HashCacheMemory, NFR_2_3_AnEntryTakesLessThanAKiBBesideItsBytes) {
  constexpr std::size_t kEntries = 10'000, kContentBytes = 512;
  static_assert(HashCache::kOverheadBytes <= 1024);
  HashCache cache(HashAlgorithm::blake3());
  std::string content(kContentBytes, 'x');
  const std::size_t before = heap_bytes;
  for (std::size_t i = 0; i < kEntries; ++i) {
    content.replace(0, 8, std::to_string(10'000'000 + i));
    (void)cache.hash(bytes_of(content));
  }
  ASSERT_EQ(cache.stats().entry_count, kEntries);
  const std::size_t taken = heap_bytes - before;
  EXPECT_LE(taken, cache.stats().memory_usage_bytes)
      << "what it counts is not less than what it takes";
  cache.shrink_to(0);
  EXPECT_LE(heap_bytes, before + 16 * kEntries) << "the tables' buckets stay";
  RecordProperty("bytes_beside", static_cast<int>(taken / kEntries - kContentBytes));
}

TEST(HashCacheMemory, WithoutMemoryNothingIsKeptAndTheDigestIsRight) {
  HashCache cache(HashAlgorithm::sha256());
  const std::string known(3000, 'k'), content(5000, 'c');
  const Digest expected = truth(content);
  (void)cache.hash(bytes_of(known));
  const HashCacheStats before = cache.stats();
  const std::size_t heap_before = heap_bytes;
  int failures = 0;
  for (; cache.stats().entry_count == before.entry_count; ++failures) {
    ASSERT_LT(failures, 100);
    EXPECT_EQ(cache.stats().memory_usage_bytes, before.memory_usage_bytes);
    EXPECT_EQ(heap_bytes, heap_before);
    allocations_left = failures;
    const Digest digest = cache.hash(bytes_of(content));
    allocations_left = -1;
    EXPECT_EQ(digest, expected);
  }
  EXPECT_GE(failures, 4) << "a copy, its owner, its places in the list and the table";
  EXPECT_EQ(cache.cached(bytes_of(content)), expected);
  EXPECT_EQ(cache.cached(bytes_of(known)), truth(known));
}

}  // namespace
}  // namespace chunker
