#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/hash.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct HashCacheOptions {
  std::size_t max_entries = 65'536;  ///< R3.3; with 0 nothing is kept.
  std::size_t max_memory_bytes = std::size_t{256}
                                 << 20;  ///< R3.4; contents and kOverheadBytes each.
  std::uint64_t ttl_seconds = 3600;      ///< R3.7; what is older is hashed again.
  /// What time it is; std::chrono::steady_clock if empty. Called from any thread; must not throw.
  std::function<std::chrono::steady_clock::time_point()> clock{};
  /// What it counts in beside its own limit, and whom it makes way for (R9.1, R9.2).
  std::shared_ptr<MemoryBudget> memory_budget{};
};

template <>
inline constexpr Threads threads_of<HashCacheOptions> = Threads::shared;

/// Since the cache was made (R3.5).
struct HashCacheStats {
  std::uint64_t hit_count = 0;
  std::uint64_t miss_count = 0;
  std::uint64_t eviction_count = 0;  ///< What made way, or was too old.
  std::size_t entry_count = 0;
  std::size_t memory_usage_bytes = 0;

  /// Of what was asked for; 0 if nothing was.
  [[nodiscard]] double hit_rate_percent() const noexcept {
    const std::uint64_t asked = hit_count + miss_count;
    return asked == 0 ? 0 : 100 * static_cast<double>(hit_count) / static_cast<double>(asked);
  }
};

template <>
inline constexpr Threads threads_of<HashCacheStats> = Threads::shared;

/// Remembers the digests of contents, so that what comes again is compared instead of hashed (R3.1). A fingerprint
/// of the length and up to 64 samples finds a content, and all of its bytes are compared before its digest is
/// given out (R3.2): no input, however made, gets another's digest.
/// Owns:    copies of the contents used last; nothing of the caller's is kept.
/// Threads: shared; contents are compared, copied and hashed without any lock.
/// Errors:  none of its own: without memory for a copy nothing is kept. hash_many() may throw std::bad_alloc.
/// Cost:    kOverheadBytes per entry beside its bytes (NFR-2.3); a hit reads both contents, a miss hashes and then
///          copies. When that pays: doc/adr/0050-hash-cache.md.
class HashCache {
 public:
  /// What an entry takes beside its bytes, at most; the limits count it.
  static constexpr std::size_t kOverheadBytes = 256;

  explicit HashCache(HashAlgorithm algorithm, HashCacheOptions options = {});
  ~HashCache();
  HashCache(const HashCache&) = delete;
  HashCache& operator=(const HashCache&) = delete;

  [[nodiscard]] const HashAlgorithm& algorithm() const noexcept;

  /// The digest, from the cache or by the algorithm; it is kept either way.
  [[nodiscard]] Digest hash(Bytes bytes);
  /// The same for many; what is not there is hashed together. `digests.size() == inputs.size()`.
  void hash_many(std::span<const Bytes> inputs, std::span<Digest> digests);
  /// The digest if it is here.
  [[nodiscard]] std::optional<Digest> cached(Bytes bytes);

  /// Evicts what was not used for longest until no more than `bytes` are taken. The buckets of the tables stay, up to
  /// 16 bytes for each entry that there ever was at once.
  void shrink_to(std::size_t bytes) noexcept;
  [[nodiscard]] HashCacheStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<HashCache> = Threads::shared;

}  // namespace chunker
