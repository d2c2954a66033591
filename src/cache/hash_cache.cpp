#include "chunker/hash_cache.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/shared_mutex.hpp"
#include "cache/content_fingerprint.hpp"

namespace chunker {
namespace {

using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::size_t kShardCount = 16;
/// Contents of one fingerprint: versions of one that differ where no sample is, or made so on purpose. As many
/// comparisons at most does an input cost.
constexpr std::size_t kAlikeMax = 4;
/// The use of an empty shard's oldest entry.
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Shared with those who compare with it, so that it may be evicted meanwhile.
struct Content {
  Digest digest;
  ByteBuffer bytes;
  mutable std::atomic<std::uint64_t> last_use{kNever};
};
using Shared = std::shared_ptr<const Content>;

bool same(Bytes a, Bytes b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// As many as a clock can count, at most.
std::chrono::seconds seconds_of(std::uint64_t count) noexcept {
  constexpr auto most = std::chrono::floor<std::chrono::seconds>(TimePoint::duration::max());
  return std::chrono::seconds(std::min(count, static_cast<std::uint64_t>(most.count())));
}

struct Entry {
  std::uint64_t fingerprint;
  std::uint64_t place;  ///< Its key among the entries: its last use, or an earlier one.
  TimePoint made;
  Shared content;
};
using Entries = std::map<std::uint64_t, Entry>;

/// Whoever makes the input makes the fingerprints too, but does not know in which buckets they end.
struct Salted {
  std::uint64_t salt = std::random_device{}();

  std::size_t operator()(std::uint64_t fingerprint) const noexcept {
    const std::uint64_t mixed = (fingerprint ^ salt) * 0x9E3779B97F4A7C15ULL;
    return mixed ^ (mixed >> 32);
  }
};

/// The entries of some fingerprints. A use only writes its number into the content, so that hits keep each other neither
/// waiting nor out of order; an entry gets its place by that number when it has come to the front.
struct alignas(64) Shard {
  base::SharedMutex mutex;
  Entries entries CHUNKER_GUARDED_BY(mutex);
  std::unordered_multimap<std::uint64_t, const Entry*, Salted> table CHUNKER_GUARDED_BY(mutex);
  std::atomic<std::uint64_t> hit_count{0};
  std::atomic<std::uint64_t> miss_count{0};
  std::atomic<std::uint64_t> eviction_count{0};
  /// No entry was used earlier: for those who look for a shard to evict from.
  std::atomic<std::uint64_t> oldest_use{kNever};

  /// After this the first entry is the one that was used longest ago.
  void put_in_order() noexcept CHUNKER_REQUIRES(mutex) {
    for (auto first = entries.begin(); first != entries.end(); first = entries.begin()) {
      const std::uint64_t last_use = first->second.content->last_use;
      if (last_use == first->first) break;
      put(entries.extract(first), last_use);
    }
    publish_oldest();
  }

  void put(Entries::node_type entry, std::uint64_t place) noexcept CHUNKER_REQUIRES(mutex) {
    entry.key() = entry.mapped().place = place;
    entries.insert(std::move(entry));
  }

  void publish_oldest() noexcept CHUNKER_REQUIRES(mutex) {
    oldest_use = entries.empty() ? kNever : entries.begin()->first;
  }

  /// Moves it to `evicted`, which the caller frees when the lock is gone.
  void evict(const Entry& entry, Entries& evicted) noexcept CHUNKER_REQUIRES(mutex) {
    const auto [begin, end] = table.equal_range(entry.fingerprint);
    table.erase(std::find_if(begin, end, [&](const auto& one) { return one.second == &entry; }));
    evicted.insert(entries.extract(entry.place));
    ++eviction_count;
    publish_oldest();
  }
};

}  // namespace

struct HashCache::State {
  State(HashAlgorithm hash, HashCacheOptions given)
      : algorithm(std::move(hash)), options(std::move(given)) {
    if (options.memory_budget == nullptr) return;
    evictor = options.memory_budget->add_evictor([this](std::size_t bytes) {
      const std::size_t used = memory_bytes;
      shrink_to(used - std::min(used, bytes));
    });
  }
  ~State() {
    evictor = {};
    if (options.memory_budget != nullptr) options.memory_budget->let_go(memory_bytes);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const HashAlgorithm algorithm;
  const HashCacheOptions options;
  const std::chrono::seconds ttl = seconds_of(options.ttl_seconds);
  std::array<Shard, kShardCount> shards;
  // Counted before anything is allocated, so that entries which come at once do not share room.
  std::atomic<std::size_t> entry_count{0};
  std::atomic<std::size_t> memory_bytes{0};
  std::atomic<std::uint64_t> use_count{0};
  MemoryBudget::Evictor evictor;  // Last: what it calls is still there when it ends.

  [[nodiscard]] TimePoint now() const {
    return options.clock ? options.clock() : std::chrono::steady_clock::now();
  }

  [[nodiscard]] Shard& shard_of(std::uint64_t fingerprint) noexcept {
    return shards[fingerprint % kShardCount];
  }

  std::optional<Digest> find(std::uint64_t fingerprint, Bytes bytes);
  std::array<Shared, kAlikeMax> alike(Shard& shard, std::uint64_t fingerprint);
  void drop_stale(Shard& shard, std::uint64_t fingerprint, TimePoint time);
  [[nodiscard]] bool is_stale(const Entry& entry, TimePoint time) const {
    return time - entry.made > ttl;
  }
  void keep(std::uint64_t fingerprint, Bytes bytes, const Digest& digest);
  void insert(std::uint64_t fingerprint, Shared content);
  bool has(std::uint64_t fingerprint, const Digest& digest);
  bool make_room(std::size_t bytes) noexcept;
  bool make_room_in_budget(std::size_t bytes) noexcept;
  void shrink_to(std::size_t bytes) noexcept;
  bool evict_oldest() noexcept;
  void free(Entries& evicted) noexcept;
  /// Takes back what make_room() counted.
  void give_up_room(std::size_t bytes) noexcept {
    if (options.memory_budget != nullptr) options.memory_budget->let_go(bytes + kOverheadBytes);
    uncount(bytes);
  }
  void uncount(std::size_t bytes) noexcept {
    --entry_count;
    memory_bytes -= bytes + kOverheadBytes;
  }
};

std::optional<Digest> HashCache::State::find(std::uint64_t fingerprint, Bytes bytes) {
  Shard& shard = shard_of(fingerprint);
  for (const Shared& one : alike(shard, fingerprint)) {
    if (one == nullptr || !same(one->bytes, bytes)) continue;
    one->last_use = use_count++;
    ++shard.hit_count;
    return one->digest;
  }
  ++shard.miss_count;
  return std::nullopt;
}

/// The contents of this fingerprint; those that are too old make way.
std::array<Shared, kAlikeMax> HashCache::State::alike(Shard& shard, std::uint64_t fingerprint) {
  std::array<Shared, kAlikeMax> found;
  const TimePoint time = now();
  bool any_stale = false;
  {
    const base::ReadLock lock(shard.mutex);
    auto next = found.begin();
    const auto [begin, end] = shard.table.equal_range(fingerprint);
    for (auto at = begin; at != end; ++at) {
      const bool stale = is_stale(*at->second, time);
      any_stale |= stale;
      if (!stale) *next++ = at->second->content;
    }
  }
  if (any_stale) drop_stale(shard, fingerprint, time);
  return found;
}

void HashCache::State::drop_stale(Shard& shard, std::uint64_t fingerprint, TimePoint time) {
  Entries stale;
  {
    const base::WriteLock lock(shard.mutex);
    const auto [begin, end] = shard.table.equal_range(fingerprint);
    for (auto at = begin; at != end;) {
      const Entry& entry = *(at++)->second;
      if (is_stale(entry, time)) shard.evict(entry, stale);
    }
  }
  free(stale);
}

/// Without memory for it the caller still has the digest, and the cache is as it was but for what made way.
void HashCache::State::keep(std::uint64_t fingerprint, Bytes bytes, const Digest& digest) {
  if (has(fingerprint, digest) || !make_room(bytes.size())) return;
  try {
    insert(fingerprint, std::make_shared<const Content>(digest, ByteBuffer(bytes)));
  } catch (const std::bad_alloc&) {
    give_up_room(bytes.size());
  }
}

void HashCache::State::insert(std::uint64_t fingerprint, Shared content) {
  const TimePoint time = now();
  Entries added, evicted;
  const Entry& entry =
      added.try_emplace(0, Entry{fingerprint, 0, time, std::move(content)}).first->second;
  Shard& shard = shard_of(fingerprint);
  {
    const base::WriteLock lock(shard.mutex);
    shard.table.emplace(fingerprint, &entry);
    const auto [begin, end] = shard.table.equal_range(fingerprint);
    if (static_cast<std::size_t>(std::distance(begin, end)) > kAlikeMax) {
      const auto last_use = [](const auto& one) { return one.second->content->last_use.load(); };
      shard.evict(*std::ranges::min_element(begin, end, {}, last_use)->second, evicted);
    }
    const std::uint64_t use = use_count++;
    entry.content->last_use = use;
    shard.put(added.extract(added.begin()), use);
    shard.publish_oldest();
  }
  free(evicted);
}

/// Whether someone else, or an equal input of the same call, was quicker.
bool HashCache::State::has(std::uint64_t fingerprint, const Digest& digest) {
  Shard& shard = shard_of(fingerprint);
  const base::ReadLock lock(shard.mutex);
  const auto [begin, end] = shard.table.equal_range(fingerprint);
  return std::any_of(begin, end,
                     [&](const auto& one) { return one.second->content->digest == digest; });
}

/// Counts one more entry of so many bytes and evicts until there is room for it; else nothing is counted.
bool HashCache::State::make_room(std::size_t bytes) noexcept {
  if (options.max_entries == 0 || options.max_memory_bytes < kOverheadBytes ||
      bytes > options.max_memory_bytes - kOverheadBytes) {
    return false;
  }
  ++entry_count;
  memory_bytes += bytes + kOverheadBytes;
  while (entry_count > options.max_entries || memory_bytes > options.max_memory_bytes) {
    if (evict_oldest()) continue;
    uncount(bytes);  // All the room is taken by entries that others are about to insert.
    return false;
  }
  if (make_room_in_budget(bytes)) return true;
  uncount(bytes);
  return false;
}

bool HashCache::State::make_room_in_budget(std::size_t bytes) noexcept {
  if (options.memory_budget == nullptr) return true;
  while (!options.memory_budget->try_keep(bytes + kOverheadBytes)) {
    if (!evict_oldest()) return false;
  }
  return true;
}

void HashCache::State::shrink_to(std::size_t bytes) noexcept {
  while (memory_bytes > bytes && evict_oldest()) {
  }
}

/// False if there is nothing in the cache. True also where nothing was evicted because another shard has what was used
/// longest ago, as is known now.
bool HashCache::State::evict_oldest() noexcept {
  Shard* oldest = nullptr;
  std::uint64_t oldest_use = kNever;
  for (Shard& shard : shards) {
    const std::uint64_t use = shard.oldest_use;
    if (use >= oldest_use) continue;
    oldest = &shard;
    oldest_use = use;
  }
  if (oldest == nullptr) return false;
  Entries evicted;
  {
    const base::WriteLock lock(oldest->mutex);
    oldest->put_in_order();
    if (oldest->oldest_use <= oldest_use) oldest->evict(oldest->entries.begin()->second, evicted);
  }
  free(evicted);
  return true;
}

/// Their room is free only when their memory is.
void HashCache::State::free(Entries& evicted) noexcept {
  while (!evicted.empty()) {
    const std::size_t bytes = evicted.begin()->second.content->bytes.size();
    evicted.erase(evicted.begin());
    give_up_room(bytes);
  }
}

HashCache::HashCache(HashAlgorithm algorithm, HashCacheOptions options)
    : state_(std::make_unique<State>(std::move(algorithm), std::move(options))) {}

HashCache::~HashCache() = default;

const HashAlgorithm& HashCache::algorithm() const noexcept { return state_->algorithm; }

Digest HashCache::hash(Bytes bytes) {
  const std::uint64_t fingerprint = cache::content_fingerprint(bytes);
  if (const auto known = state_->find(fingerprint, bytes)) return *known;
  const Digest digest = state_->algorithm.hash(bytes);
  state_->keep(fingerprint, bytes, digest);
  return digest;
}

void HashCache::hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) {
  CHUNKER_CHECK(inputs.size() == digests.size());
  struct Missing {
    std::size_t index;
    std::uint64_t fingerprint;
  };
  std::vector<Missing> missing;
  std::vector<Bytes> unknown;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint64_t fingerprint = cache::content_fingerprint(inputs[i]);
    if (const auto known = state_->find(fingerprint, inputs[i])) {
      digests[i] = *known;
      continue;
    }
    missing.push_back({i, fingerprint});
    unknown.push_back(inputs[i]);
  }
  if (missing.empty()) return;
  std::vector<Digest> found(unknown.size());
  state_->algorithm.hash_many(unknown, found);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    digests[missing[i].index] = found[i];
    state_->keep(missing[i].fingerprint, unknown[i], found[i]);
  }
}

std::optional<Digest> HashCache::cached(Bytes bytes) {
  return state_->find(cache::content_fingerprint(bytes), bytes);
}

void HashCache::shrink_to(std::size_t bytes) noexcept { state_->shrink_to(bytes); }

HashCacheStats HashCache::stats() const {
  HashCacheStats stats;
  for (const Shard& shard : state_->shards) {
    stats.hit_count += shard.hit_count;
    stats.miss_count += shard.miss_count;
    stats.eviction_count += shard.eviction_count;
  }
  stats.entry_count = state_->entry_count;
  stats.memory_usage_bytes = state_->memory_bytes;
  return stats;
}

}  // namespace chunker
