#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <thread>

#include "chunker/batch.hpp"
#include "chunker/chunk_stream.hpp"
#include "chunker/memory_budget.hpp"
#include "pipeline/memory_plan.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::is_ok;
using test::make_nar;
using test::random_text;
using test::small_chunks;

constexpr std::size_t kMiB = 1 << 20;

std::shared_ptr<MemoryBudget> budget_of(std::size_t hard) {
  return std::make_shared<MemoryBudget>(MemoryBudgetOptions{.hard_limit_bytes = hard});
}

/// What an ingest of one thread and these options needs at least.
std::size_t least_for_ingest() {
  for (std::size_t hard = kMiB;; hard += kMiB) {
    MemoryBudget budget({.hard_limit_bytes = hard});
    if (pipeline::plan_ingest(budget, {1, 1, 40'000, CompressionStrategy::balanced, true}))
      return hard;
  }
}

class Budget : public test::StoreFixture {};

TEST(MemoryPlan, R9_5_AsManyThreadsAsFitAndAtLeastOne) {
  const pipeline::IngestNeeds needs{16, 100, kMiB, CompressionStrategy::balanced, true};
  unsigned before = 0;
  std::size_t refused = 0;
  for (std::size_t hard = 8 * kMiB; hard <= 2048 * kMiB; hard += 8 * kMiB) {
    MemoryBudget budget({.hard_limit_bytes = hard});
    const auto plan = pipeline::plan_ingest(budget, needs);
    if (!plan) {
      EXPECT_EQ(before, 0U);
      EXPECT_EQ(plan.error().code, ErrorCode::memory_limit_exceeded);
      ++refused;
      continue;
    }
    EXPECT_GE(plan->threads, std::max(1U, before)) << "more memory, more threads";
    EXPECT_GE(plan->slabs_per_pipeline, 1U);
    EXPECT_EQ(budget.usage().current_usage_bytes, plan->reserved.bytes());
    EXPECT_LE(plan->reserved.bytes(), hard);
    before = plan->threads;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(before, 16U);
}

TEST(MemoryPlan, R9_2_LessIsUnderWayWhereMemoryIsScarce) {
  const pipeline::IngestNeeds needs{2, 100, kMiB, CompressionStrategy::balanced, true};
  std::size_t slab_bytes = 2 * kMiB, nars = 8;
  for (std::size_t hard = 1024 * kMiB; hard > 0; hard -= 4 * kMiB) {
    MemoryBudget budget({.hard_limit_bytes = hard});
    const auto plan = pipeline::plan_ingest(budget, needs);
    if (!plan || plan->threads != needs.threads) break;
    if (hard == 1024 * kMiB) {
      EXPECT_EQ(plan->slab_bytes, slab_bytes);
      EXPECT_EQ(plan->nars_max, nars);
    }
    EXPECT_LE(plan->slab_bytes, slab_bytes) << "less memory, smaller buffers";
    slab_bytes = plan->slab_bytes;
    nars = plan->nars_max;
  }
  EXPECT_EQ(slab_bytes, kMiB / 2) << "before there are fewer threads";
  EXPECT_EQ(nars, 1U);
}

TEST(MemoryPlan, R9_5_RestoreAndCutGoOnWithOneThread) {
  MemoryBudget none({.hard_limit_bytes = kMiB});
  EXPECT_FALSE(pipeline::plan_restore(none, 4, 9));
  EXPECT_FALSE(pipeline::plan_cut(none, 4, kMiB));
  EXPECT_FALSE(pipeline::plan_threads(none, 4, kMiB));
  MemoryBudget some({.hard_limit_bytes = 40 * kMiB});
  const auto restoring = pipeline::plan_restore(some, 64, 99);
  ASSERT_TRUE(restoring);
  EXPECT_LT(restoring->threads, 64U);
  MemoryBudget little({.hard_limit_bytes = 10 * kMiB});
  const auto cutting = pipeline::plan_cut(little, 4, kMiB);
  ASSERT_TRUE(cutting);
  EXPECT_FALSE(cutting->may_share);
  EXPECT_EQ(cutting->threads, 1U);
}

TEST(MemoryPlan, R9_5_ACodecOfAHighLevelLeavesRoomForFewerThreads) {
  const auto threads_at = [](int level) {
    CodecRegistry codecs;
    EXPECT_TRUE(codecs.add(*builtin_codec(CodecId::zstd, level)));
    MemoryBudget budget({.hard_limit_bytes = 400 * kMiB});
    const auto plan = pipeline::plan_ingest(
        budget, {16, 100, 2 * kMiB, CompressionStrategy::balanced, false, &codecs});
    return plan ? plan->threads : 0U;
  };
  const unsigned usual = threads_at(3), high = threads_at(22);
  EXPECT_GT(high, 0U);
  EXPECT_LE(2 * high, usual);
}

TEST(MemoryPlan, WithoutALimitNothingIsReserved) {
  MemoryBudget budget;
  const auto plan =
      pipeline::plan_ingest(budget, {8, 100, kMiB, CompressionStrategy::smallest, true});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->threads, 8U);
  EXPECT_EQ(budget.usage().allocation_count, 0U);
}

TEST_F(Budget, R9_1_R9_2_AStoreStaysWithinItAndGivesTheSame) {
  options_.memory_budget = budget_of(120 * kMiB);
  const std::string first = random_text(1, 6 * kMiB);
  std::string second = first;
  for (std::size_t i = 0; i < second.size(); i += 9000) second[i] = '!';
  const std::map<std::string, std::string> nars{
      {"p-1.0.nar", make_nar({{"a", first}})},
      {"p-1.1.nar", make_nar({{"a", second}})},
      {"q-1.0.nar", make_nar({{"a", random_text(2, 3 * kMiB)}})}};
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars));
    ASSERT_OK(take_in(*store, nars));
    for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name), nar);
    expect_clean(*store);
    const MemoryUsage usage = options_.memory_budget->usage();
    EXPECT_GT(usage.peak_usage_bytes, 40 * kMiB);
    EXPECT_LE(usage.peak_usage_bytes, 120 * kMiB);
    EXPECT_GT(usage.allocation_count, 3U);
    EXPECT_LT(usage.current_usage_bytes, usage.peak_usage_bytes) << "operations gave theirs back";
  }
  EXPECT_EQ(options_.memory_budget->usage().current_usage_bytes, 0U);
}

TEST_F(Budget, R9_2_CachesMakeWayForAnIngest) {
  const auto budget = options_.memory_budget = budget_of(100 * kMiB);
  auto options = small_chunks();
  options.threads = 2;
  options.hash_cache = std::make_shared<HashCache>(HashAlgorithm::blake3(),
                                                   HashCacheOptions{.memory_budget = budget});
  for (std::size_t i = 0; i < 75; ++i) {
    (void)options.hash_cache->hash(bytes_of(random_text(i, kMiB)));
  }
  ASSERT_GT(budget->usage().current_usage_bytes, 70 * kMiB);
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a.nar", make_nar({{"a", random_text(1, kMiB)}})}}, options));
  EXPECT_LT(options.hash_cache->stats().memory_usage_bytes, 60 * kMiB);
  EXPECT_LE(budget->usage().peak_usage_bytes, 100 * kMiB);
}

TEST_F(Budget, R9_3_WhatDoesNotFitIsRefusedBeforeItBegins) {
  const std::string nar = make_nar({{"a", "content"}});
  options_.memory_budget = budget_of(20 * kMiB);
  {
    auto store = open();
    ASSERT_OK(store);
    const auto refused = take_in(*store, {{"a.nar", nar}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::memory_limit_exceeded);
    EXPECT_NE(refused.error().context.find("bytes are needed"), std::string::npos)
        << refused.error().context;
    EXPECT_TRUE(reported_.empty());
    EXPECT_FALSE(store->find("a.nar"));
  }
  options_.memory_budget = budget_of(kMiB);
  EXPECT_EQ(open().error().code, ErrorCode::memory_limit_exceeded) << "not even the index fits";
  options_.memory_budget = nullptr;
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a.nar", nar}}));
}

TEST_F(Budget, R9_3_ANarThatNeedsTooMuchFailsAndTheOthersGoOn) {
  std::vector<test::FileOfNar> files;
  for (std::size_t i = 0; i < 80'000; ++i) files.push_back({std::to_string(1'000'000 + i), ""});
  options_.memory_budget = budget_of(least_for_ingest() + 8 * kMiB);
  auto store = open();
  ASSERT_OK(store);
  auto options = small_chunks();
  options.threads = 1;
  ASSERT_OK(take_in(*store,
                    {{"a.nar", make_nar({{"a", random_text(1, kMiB)}})},
                     {"lists.nar", make_nar(files)},
                     {"z.nar", make_nar({{"a", random_text(2, kMiB)}})}},
                    options));
  ASSERT_EQ(reported_.size(), 3U);
  EXPECT_OK(reported_.at("a.nar"));
  EXPECT_OK(reported_.at("z.nar"));
  ASSERT_FALSE(reported_.at("lists.nar"));
  EXPECT_EQ(reported_.at("lists.nar").error().code, ErrorCode::memory_limit_exceeded);
  EXPECT_FALSE(store->find("lists.nar"));
  expect_clean(*store);
}

TEST_F(Budget, R9_3_AFrameBeyondTheBudgetFailsItsNarAlone) {
  auto options = small_chunks();
  options.chunking.recipe.max_bytes = 8 * kMiB;
  options.chunking.recipe.avg_bytes = options.chunking.recipe.min_bytes = 8 * kMiB;
  options.chunking.recipe.algorithm = ChunkingAlgorithm::fixed;
  const std::map<std::string, std::string> nars{
      {"large.nar", make_nar({{"a", test::random_bytes(1, 8 * kMiB)}})},
      {"small.nar", make_nar({{"a", "little"}})}};
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars, options));
  }
  options_.memory_budget = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.hard_limit_bytes = 500 * kMiB, .max_buffer_size = 4 * kMiB});
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  const auto refused = give_back(*store, "large.nar");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::memory_limit_exceeded);
  EXPECT_EQ(give_back(*store, "small.nar"), nars.at("small.nar"));
}

TEST_F(Budget, R9_4_StreamsHaveACeiling) {
  auto chunking = small_chunks().chunking;
  chunking.recipe.max_bytes = 257 * kMiB;
  const ByteSource source = [](MutableBytes) -> Result<std::size_t> { return 0; };
  const auto stream = ChunkStream::over(source, chunking);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::memory_limit_exceeded);

  chunking.recipe.max_bytes = kMiB;
  const auto budget =
      std::make_shared<MemoryBudget>(MemoryBudgetOptions{.max_buffer_size = 4 * kMiB});
  {
    const auto fits = ChunkStream::over(source, chunking, {.memory_budget = budget});
    ASSERT_OK(fits);
    EXPECT_GT(budget->usage().current_usage_bytes, kMiB) << "its buffer counts";
  }
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
  const auto small = std::make_shared<MemoryBudget>(MemoryBudgetOptions{.max_buffer_size = kMiB});
  EXPECT_FALSE(ChunkStream::over(source, chunking, {.memory_budget = small}));
}

TEST_F(Budget, R9_4_AnIngestHasACeiling) {
  options_.memory_budget =
      std::make_shared<MemoryBudget>(MemoryBudgetOptions{.max_buffer_size = 6 * kMiB});
  auto store = open();
  ASSERT_OK(store);
  auto options = small_chunks();
  options.chunking.recipe = {.min_bytes = kMiB, .avg_bytes = 2 * kMiB, .max_bytes = 64 * kMiB};
  ASSERT_OK(take_in(*store,
                    {{"large.nar", make_nar({{"a", std::string(20 * kMiB, 'a')}})},
                     {"small.nar", make_nar({{"a", "little"}})}},
                    options));
  EXPECT_OK(reported_.at("small.nar"));
  ASSERT_FALSE(reported_.at("large.nar"));
  EXPECT_EQ(reported_.at("large.nar").error().code, ErrorCode::memory_limit_exceeded);
}

TEST_F(Budget, R9_5_ABatchWorksOnAsManyFilesAsItAllows) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 12; ++i) {
    paths.push_back(write_nar(std::to_string(i), random_text(static_cast<unsigned>(i), 100'000)));
  }
  std::atomic<int> running = 0, most = 0;
  BatchOptions batch{.threads = 4};
  batch.hash = *HashAlgorithm::custom("slow", [&](Bytes bytes) {
    const int now = ++running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --running;
    return HashAlgorithm::blake3().hash(bytes);
  });
  const auto chunk_all = [&] {
    most = 0;
    auto stream = batch_chunk_files(paths, small_chunks().chunking, batch);
    EXPECT_OK(stream);
    std::size_t done = 0;
    while (const auto result = stream->next()) done += result->chunks.has_value() ? 1U : 0U;
    EXPECT_EQ(done, paths.size());
    return most.load();
  };
  EXPECT_GT(chunk_all(), 1);
  batch.memory_budget = budget_of(8 * kMiB);
  EXPECT_EQ(chunk_all(), 1);
  EXPECT_EQ(batch.memory_budget->usage().current_usage_bytes, 0U);
  batch.memory_budget = budget_of(2 * kMiB);
  const auto refused = batch_chunk_files(paths, small_chunks().chunking, batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::memory_limit_exceeded);
}

/// Lets so many of every ten buffers fail.
std::shared_ptr<MemoryBudget> failing_budget(int failures,
                                             const std::shared_ptr<std::atomic<int>>& count) {
  return std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.allocate = [failures, count](std::size_t bytes) {
        if (++*count % 10 < failures) throw std::bad_alloc();
        ByteBuffer buffer;
        buffer.reserve(bytes);
        return buffer;
      }});
}

TEST_F(Budget, R11_1_WhenMemoryIsExhaustedCachesAreEvictedAndItGoesOn) {
  const std::string base = random_text(1, 3 * kMiB);
  std::string other = base;
  for (std::size_t i = 0; i < other.size(); i += 5000) other[i] = '!';
  const std::map<std::string, std::string> nars{{"p-1.nar", make_nar({{"a", base}})},
                                                {"p-2.nar", make_nar({{"a", other}})}};
  const auto count = std::make_shared<std::atomic<int>>(0);
  options_.memory_budget = failing_budget(1, count);
  auto store = open();
  ASSERT_OK(store);
  auto options = small_chunks();
  options.threads = 1;
  ASSERT_OK(take_in(*store, nars, options));
  for (const auto& [name, result] : reported_) EXPECT_OK(result);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name), nar);
  EXPECT_GT(*count, 10) << "it has failed more than once";
}

TEST_F(Budget, R11_1_WhenItFailsAgainNothingIsHalfStored) {
  const auto count = std::make_shared<std::atomic<int>>(0);
  options_.memory_budget = failing_budget(10, count);
  {
    auto store = open();
    ASSERT_OK(store);
    const auto done = take_in(*store, {{"a.nar", make_nar({{"a", random_text(1, kMiB)}})}});
    ASSERT_EQ(reported_.size(), 1U);
    ASSERT_FALSE(reported_.at("a.nar"));
    EXPECT_EQ(reported_.at("a.nar").error().code, ErrorCode::memory_limit_exceeded);
    EXPECT_FALSE(store->find("a.nar"));
  }
  options_.memory_budget = nullptr;
  auto store = open();
  ASSERT_OK(store);
  expect_clean(*store);
}

}  // namespace
}  // namespace chunker
