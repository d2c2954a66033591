#include "chunker/hash_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <limits>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "cache/content_fingerprint.hpp"
#include "support/digests.hpp"

namespace chunker {
namespace {

using namespace std::chrono_literals;
using test::random_of;
using TimePoint = std::chrono::steady_clock::time_point;

static_assert(threads_of<HashCache> == Threads::shared);

constexpr std::size_t kOverhead = HashCache::kOverheadBytes;

Digest truth(std::string_view content) { return HashAlgorithm::sha256().hash(bytes_of(content)); }

/// SHA-256 that counts.
HashAlgorithm counting(std::atomic<int>& count) {
  return *HashAlgorithm::custom("counting", [&count](Bytes bytes) {
    ++count;
    return HashAlgorithm::sha256().hash(bytes);
  });
}

/// Variants of one family have one fingerprint: they differ where it takes no sample.
std::string alike(std::size_t family, std::size_t variant) {
  std::string content(4096 + 512 * family, '\0');
  content[20] = static_cast<char>(variant);
  return content;
}

bool is_cached(HashCache& cache, std::string_view content) {
  return cache.cached(bytes_of(content)) == truth(content);
}

TEST(HashCache, R3_1_WhatComesAgainIsNotHashedAgain) {
  std::atomic<int> count = 0;
  HashCache cache(counting(count));
  EXPECT_EQ(cache.cached(bytes_of("content")), std::nullopt);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cache.hash(bytes_of("content")), truth("content"));
  EXPECT_EQ(cache.cached(bytes_of("content")), truth("content"));
  EXPECT_EQ(cache.hash({}), truth(""));
  EXPECT_EQ(cache.hash({}), truth(""));
  EXPECT_EQ(count, 2);
}

TEST(HashCache, R3_1_OfManyOnlyTheUnknownAreHashed) {
  std::atomic<int> count = 0;
  HashCache cache(counting(count));
  EXPECT_EQ(cache.hash(bytes_of("b")), truth("b"));
  const std::vector<Bytes> inputs = {bytes_of("a"), bytes_of("b"), bytes_of("a"), bytes_of("c")};
  std::vector<Digest> digests(4);
  for (int i = 0; i < 3; ++i) {
    std::ranges::fill(digests, Digest());
    cache.hash_many(inputs, digests);
    EXPECT_EQ(digests, (std::vector{truth("a"), truth("b"), truth("a"), truth("c")}));
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(cache.stats().entry_count, 3U);
  cache.hash_many({}, {});
}

TEST(HashCache, KeepsItsOwnCopies) {
  HashCache cache(HashAlgorithm::sha256());
  std::string content = alike(1, 0);
  EXPECT_EQ(cache.hash(bytes_of(content)), truth(content));
  content[20] = 'x';
  EXPECT_EQ(cache.hash(bytes_of(content)), truth(content));
  content[20] = '\0';
  EXPECT_EQ(cache.cached(bytes_of(content)), truth(content));
}

TEST(HashCache, R3_2_ContentsOfOneFingerprintKeepTheirOwnDigests) {
  ASSERT_EQ(cache::content_fingerprint(bytes_of(alike(0, 0))),
            cache::content_fingerprint(bytes_of(alike(0, 1))));
  std::atomic<int> count = 0;
  HashCache cache(counting(count));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t variant = 0; variant < 4; ++variant) {
      EXPECT_EQ(cache.hash(bytes_of(alike(0, variant))), truth(alike(0, variant)));
    }
  }
  EXPECT_EQ(count, 4);
  EXPECT_EQ(cache.cached(bytes_of(alike(0, 9))), std::nullopt);
}

TEST(HashCache, R3_2_NoInputIsComparedWithMoreThanFour) {
  HashCache cache(HashAlgorithm::sha256());
  for (std::size_t variant = 0; variant < 100; ++variant) {
    EXPECT_EQ(cache.hash(bytes_of(alike(0, variant))), truth(alike(0, variant)));
  }
  EXPECT_EQ(cache.stats().entry_count, 4U);
  EXPECT_EQ(cache.stats().eviction_count, 96U);
  EXPECT_TRUE(is_cached(cache, alike(0, 96)));
  EXPECT_FALSE(is_cached(cache, alike(0, 95)));
  EXPECT_EQ(cache.hash(bytes_of(alike(0, 0))), truth(alike(0, 0)));
  EXPECT_TRUE(is_cached(cache, alike(0, 96))) << "it was used last but one";
  EXPECT_FALSE(is_cached(cache, alike(0, 97)));
}

TEST(HashCache, FingerprintsTellSizesAndEndsApart) {
  std::vector<std::uint64_t> seen;
  for (std::size_t size = 0; size < 1200; ++size) {
    std::string content(size, 'a');
    seen.push_back(cache::content_fingerprint(bytes_of(content)));
    if (size == 0) continue;
    for (const std::size_t at : {std::size_t{0}, size - 1}) {
      content[at] = 'b';
      const std::uint64_t other = cache::content_fingerprint(bytes_of(content));
      content[at] = 'a';
      EXPECT_NE(other, seen.back()) << size << " bytes, at " << at;
    }
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST(HashCache, R3_3_EvictsTheLeastRecentlyUsed) {
  HashCache cache(HashAlgorithm::sha256(), {.max_entries = 3});
  for (const auto* const content : {"a", "b", "c", "a", "d"}) {
    (void)cache.hash(bytes_of(content));
  }
  EXPECT_EQ(cache.stats().entry_count, 3U);
  EXPECT_EQ(cache.stats().eviction_count, 1U);
  EXPECT_TRUE(is_cached(cache, "a"));
  EXPECT_FALSE(is_cached(cache, "b"));
  EXPECT_TRUE(is_cached(cache, "c"));
  EXPECT_TRUE(is_cached(cache, "d"));
}

TEST(HashCache, R3_3_WhatWasUsedLongestAgoGoesWhereverItLies) {
  constexpr std::size_t kCount = 200;
  HashCache cache(HashAlgorithm::sha256());
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < kCount; ++i) {
    contents.push_back(std::to_string(1000 + i));
    (void)cache.hash(bytes_of(contents.back()));
  }
  // Those at the end are left after each shrinking, and are used in another order before the next.
  for (std::size_t left = kCount; left > 1; left = left * 2 / 3) {
    cache.shrink_to(left * (4 + kOverhead));
    EXPECT_EQ(cache.stats().entry_count, left);
    contents.erase(contents.begin(), contents.end() - static_cast<std::ptrdiff_t>(left));
    std::ranges::sort(contents, {}, [left](const std::string& content) {
      return random_of(left * 10'000 + static_cast<std::size_t>(std::stoi(content)));
    });
    for (const std::string& content : contents) EXPECT_TRUE(is_cached(cache, content));
  }
}

TEST(HashCache, R3_4_EvictsUntilThereIsRoom) {
  HashCache cache(HashAlgorithm::sha256(), {.max_memory_bytes = 4 * (1000 + kOverhead)});
  for (const char c : {'a', 'b', 'c', 'd'}) (void)cache.hash(bytes_of(std::string(1000, c)));
  EXPECT_EQ(cache.stats().memory_usage_bytes, 4 * (1000 + kOverhead));
  EXPECT_EQ(cache.stats().eviction_count, 0U);
  (void)cache.hash(bytes_of(std::string(1001, 'e')));
  EXPECT_EQ(cache.stats().memory_usage_bytes, 2 * (1000 + kOverhead) + 1001 + kOverhead);
  EXPECT_EQ(cache.stats().eviction_count, 2U);
  EXPECT_FALSE(is_cached(cache, std::string(1000, 'b')));
  EXPECT_TRUE(is_cached(cache, std::string(1000, 'c')));
}

TEST(HashCache, R3_4_WhatNeverFitsEvictsNothing) {
  HashCache cache(HashAlgorithm::sha256(), {.max_memory_bytes = 1000 + kOverhead});
  EXPECT_EQ(cache.hash(bytes_of("small")), truth("small"));
  const std::string large(1001, 'x');
  for (int i = 0; i < 2; ++i) EXPECT_EQ(cache.hash(bytes_of(large)), truth(large));
  EXPECT_FALSE(is_cached(cache, large));
  EXPECT_TRUE(is_cached(cache, "small"));
  EXPECT_EQ(cache.hash(bytes_of(large).first(1000)), truth(large.substr(1)));
  EXPECT_TRUE(is_cached(cache, large.substr(1)));
  EXPECT_EQ(cache.stats().entry_count, 1U);
}

TEST(HashCache, R3_3_R3_4_WithoutRoomNothingIsKept) {
  for (const HashCacheOptions& options :
       {HashCacheOptions{.max_entries = 0}, HashCacheOptions{.max_memory_bytes = 0},
        HashCacheOptions{.max_memory_bytes = kOverhead - 1}}) {
    HashCache cache(HashAlgorithm::sha256(), options);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(cache.hash(bytes_of("abc")), truth("abc"));
      EXPECT_EQ(cache.hash({}), truth(""));
    }
    EXPECT_EQ(cache.stats().entry_count, 0U);
    EXPECT_EQ(cache.stats().memory_usage_bytes, 0U);
    EXPECT_EQ(cache.stats().miss_count, 4U);
  }
}

TEST(HashCache, R3_5_CountsWhatHappens) {
  HashCache cache(HashAlgorithm::sha256(), {.max_entries = 2});
  EXPECT_EQ(cache.stats().hit_rate_percent(), 0);
  for (const auto* const content : {"a", "b", "b", "b", "ccc"}) {
    (void)cache.hash(bytes_of(content));
  }
  const HashCacheStats stats = cache.stats();
  EXPECT_EQ(stats.hit_count, 2U);
  EXPECT_EQ(stats.miss_count, 3U);
  EXPECT_EQ(stats.eviction_count, 1U);
  EXPECT_EQ(stats.entry_count, 2U);
  EXPECT_EQ(stats.memory_usage_bytes, 4 + 2 * kOverhead);
  EXPECT_DOUBLE_EQ(stats.hit_rate_percent(), 40);
}

TEST(HashCache, R3_7_WhatIsOlderThanItsTimeIsHashedAgain) {
  EXPECT_EQ(HashCacheOptions().ttl_seconds, 3600U);
  std::atomic<int> count = 0;
  TimePoint now{};
  HashCache cache(counting(count), {.clock = [&now] { return now; }});
  (void)cache.hash(bytes_of("a"));
  now += 3600s;
  EXPECT_TRUE(is_cached(cache, "a")) << "as old as it may be; use makes nothing younger";
  now += 1ns;
  EXPECT_FALSE(is_cached(cache, "a"));
  EXPECT_EQ(cache.stats().entry_count, 0U);
  EXPECT_EQ(cache.stats().memory_usage_bytes, 0U);
  EXPECT_EQ(cache.stats().eviction_count, 1U);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(cache.hash(bytes_of("a")), truth("a"));
  EXPECT_EQ(count, 2);
  now += 3600s;
  EXPECT_TRUE(is_cached(cache, "a"));
}

TEST(HashCache, R3_7_TheLongestAndTheShortestTime) {
  TimePoint now{};
  const auto clock = [&now] { return now; };
  HashCache forever(HashAlgorithm::sha256(),
                    {.ttl_seconds = std::numeric_limits<std::uint64_t>::max(), .clock = clock});
  HashCache never(HashAlgorithm::sha256(), {.ttl_seconds = 0, .clock = clock});
  (void)forever.hash(bytes_of("a"));
  (void)never.hash(bytes_of("a"));
  EXPECT_TRUE(is_cached(never, "a"));
  now -= 1h;
  EXPECT_TRUE(is_cached(never, "a")) << "a clock that goes back makes nothing old";
  now += 24h * 365 * 200;
  EXPECT_TRUE(is_cached(forever, "a"));
  EXPECT_FALSE(is_cached(never, "a"));
}

TEST(HashCache, ShrinksToWhatIsAskedFor) {
  HashCache cache(HashAlgorithm::sha256());
  for (const char c : {'a', 'b', 'c', 'd'}) (void)cache.hash(bytes_of(std::string(1000, c)));
  cache.shrink_to(100'000);
  EXPECT_EQ(cache.stats().entry_count, 4U);
  cache.shrink_to(2 * (1000 + kOverhead) + 999);
  EXPECT_EQ(cache.stats().entry_count, 2U);
  EXPECT_TRUE(is_cached(cache, std::string(1000, 'c')));
  cache.shrink_to(0);
  EXPECT_EQ(cache.stats().memory_usage_bytes, 0U);
  EXPECT_EQ(cache.hash(bytes_of("a")), truth("a"));
}

/// The same as a list that is searched from its front.
class SlowCache {
 public:
  explicit SlowCache(const HashCacheOptions& options) : options_(options) {}

  void ask(std::size_t family, std::size_t variant, TimePoint now) {
    const auto stale = [&](const Entry& one) {
      return one.family == family && now - one.made > std::chrono::seconds(options_.ttl_seconds);
    };
    stats.eviction_count += std::erase_if(entries_, stale);
    const auto found = std::ranges::find_if(
        entries_, [&](const Entry& one) { return one.family == family && one.variant == variant; });
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
      ++stats.hit_count;
    } else {
      ++stats.miss_count;
      keep({family, variant, now});
    }
  }

  HashCacheStats stats;

  [[nodiscard]] std::size_t entry_count() const { return entries_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const {
    std::size_t sum = 0;
    for (const Entry& one : entries_) sum += size_of(one);
    return sum;
  }

 private:
  struct Entry {
    std::size_t family, variant;
    TimePoint made;
  };

  static std::size_t size_of(const Entry& one) {
    return alike(one.family, one.variant).size() + kOverhead;
  }

  void keep(const Entry& added) {
    if (options_.max_entries == 0 || size_of(added) > options_.max_memory_bytes) return;
    while (entry_count() >= options_.max_entries ||
           memory_bytes() + size_of(added) > options_.max_memory_bytes) {
      entries_.pop_back();
      ++stats.eviction_count;
    }
    const auto of_family = [&](const Entry& one) { return one.family == added.family; };
    if (std::ranges::count_if(entries_, of_family) == 4) {
      entries_.erase(std::prev(std::find_if(entries_.rbegin(), entries_.rend(), of_family).base()));
      ++stats.eviction_count;
    }
    entries_.push_front(added);
  }

  const HashCacheOptions options_;
  std::list<Entry> entries_;
};

TEST(HashCache, R3_1_R3_2_R3_3_R3_4_R3_7_AgreesWithASlowOne) {
  std::vector<std::vector<std::string>> contents(8);
  for (std::size_t family = 0; family < contents.size(); ++family) {
    for (std::size_t v = 0; v < 7; ++v) contents[family].push_back(alike(family, v));
  }
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    TimePoint now{};
    const HashCacheOptions options{.max_entries = random_of(seed) % 40,
                                   .max_memory_bytes = random_of(seed + 1000) % 150'000,
                                   .ttl_seconds = random_of(seed + 2000) % 90,
                                   .clock = [&now] { return now; }};
    HashCache cache(HashAlgorithm::sha256(), options);
    SlowCache slow(options);
    for (std::uint64_t step = 0; step < 500; ++step) {
      const std::uint64_t random = random_of(seed * 1000 + step);
      now += std::chrono::milliseconds(random % 1024);
      const std::size_t family = random / 1024 % 8, variant = random / 8192 % 7;
      const std::string& content = contents[family][variant];
      slow.ask(family, variant, now);
      ASSERT_EQ(cache.hash(bytes_of(content)), truth(content));
      const HashCacheStats stats = cache.stats();
      ASSERT_EQ(stats.hit_count, slow.stats.hit_count) << step;
      ASSERT_EQ(stats.miss_count, slow.stats.miss_count) << step;
      ASSERT_EQ(stats.eviction_count, slow.stats.eviction_count) << step;
      ASSERT_EQ(stats.entry_count, slow.entry_count()) << step;
      ASSERT_EQ(stats.memory_usage_bytes, slow.memory_bytes()) << step;
    }
  }
}

TEST(HashCache, R3_6_R25_3_WhoHashesKeepsNobodyWaiting) {
  std::promise<void> begun, others_done;
  const auto done = others_done.get_future().share();
  const auto slow_hash = [&](Bytes bytes) {
    if (text_of(bytes) == alike(0, 0)) {
      begun.set_value();
      EXPECT_EQ(done.wait_for(10s), std::future_status::ready);
    }
    return HashAlgorithm::sha256().hash(bytes);
  };
  HashCache cache(*HashAlgorithm::custom("slow", slow_hash), {.max_entries = 30});
  {
    const std::jthread slow(
        [&] { EXPECT_EQ(cache.hash(bytes_of(alike(0, 0))), truth(alike(0, 0))); });
    begun.get_future().wait();
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 1; i < 40; ++i) {
        const std::string content = alike(i / 4, i % 4);
        EXPECT_EQ(cache.hash(bytes_of(content)), truth(content));
      }
    }
    others_done.set_value();
  }
  EXPECT_TRUE(is_cached(cache, alike(0, 0)));
}

TEST(HashCache, R3_6_R25_3_ManyThreadsUseAndEvictAtOnce) {
  constexpr std::size_t kThreads = 8;
  HashCache cache(HashAlgorithm::sha256(), {.max_entries = 20, .max_memory_bytes = 100'000});
  std::vector<std::string> contents;
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < 60; ++i) {
    contents.push_back(alike(i / 6, i % 6));
    digests.push_back(truth(contents.back()));
  }
  std::atomic<std::size_t> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint64_t i = 0; i < 2000; ++i) {
          const std::size_t which = random_of(thread * 10'000 + i) % (i % 2 == 0 ? 60 : 8);
          if (cache.hash(bytes_of(contents[which])) != digests[which]) ++wrong;
          if (i % 500 == 499) cache.shrink_to(20'000);
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0U);
  const HashCacheStats stats = cache.stats();
  EXPECT_EQ(stats.hit_count + stats.miss_count, kThreads * 2000);
  EXPECT_GT(stats.hit_count, 0U);
  EXPECT_LE(stats.entry_count, 20U);
  EXPECT_LE(stats.memory_usage_bytes, 100'000U);
  cache.shrink_to(0);
  EXPECT_EQ(cache.stats().entry_count, 0U);
  EXPECT_EQ(cache.stats().memory_usage_bytes, 0U) << "what was counted is what was kept";
}

TEST(HashCache, R9_1_CountsInTheBudgetAndStaysWithinIt) {
  const auto budget = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.soft_limit_bytes = 50'000, .hard_limit_bytes = 60'000});
  {
    HashCache cache(HashAlgorithm::blake3(), {.memory_budget = budget});
    for (std::size_t i = 0; i < 30; ++i) (void)cache.hash(bytes_of(std::string(4000 + i, 'a')));
    const HashCacheStats stats = cache.stats();
    EXPECT_EQ(stats.entry_count, 11U);
    EXPECT_EQ(stats.eviction_count, 19U);
    EXPECT_EQ(budget->usage().current_usage_bytes, stats.memory_usage_bytes);
    EXPECT_LE(budget->usage().peak_usage_bytes, 50'000U);
  }
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
}

TEST(HashCache, R9_2_MakesWayForOperations) {
  const auto budget = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.soft_limit_bytes = 50'000, .hard_limit_bytes = 60'000});
  HashCache cache(HashAlgorithm::blake3(), {.memory_budget = budget});
  for (std::size_t i = 0; i < 10; ++i) (void)cache.hash(bytes_of(std::string(4000 + i, 'a')));
  {
    const auto operation = budget->reserve(30'000);
    ASSERT_TRUE(operation);
    EXPECT_EQ(cache.stats().entry_count, 4U);
  }
  const auto all = budget->reserve(60'000);
  ASSERT_TRUE(all);
  const Digest expected = HashAlgorithm::blake3().hash(bytes_of("abc"));
  EXPECT_EQ(cache.hash(bytes_of("abc")), expected) << "a digest is had without room to keep it";
  EXPECT_EQ(cache.stats().entry_count, 0U);
}

}  // namespace
}  // namespace chunker
