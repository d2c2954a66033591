#include "chunker/cpu_quota.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "chunker/batch.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using Paths = std::vector<std::filesystem::path>;

class Quota : public test::StoreFixture {
 protected:
  Paths make_files(std::size_t count, std::size_t bytes) {
    Paths paths;
    for (std::size_t i = 0; i < count; ++i) {
      paths.push_back(write_nar("f" + std::to_string(i), test::random_bytes(i, bytes)));
    }
    return paths;
  }

  /// The digests of the files that were reached; the others are put into `rest`.
  static std::map<std::string, std::vector<Digest>> chunk(const Paths& paths, BatchOptions options,
                                                          Paths& rest) {
    std::map<std::string, std::vector<Digest>> digests;
    rest.clear();
    auto batch = batch_chunk_files(paths, {}, std::move(options));
    EXPECT_OK(batch);
    while (const auto result = batch->next()) {
      if (result->chunks) {
        digests.emplace(result->path, result->chunks->digests);
      } else {
        EXPECT_EQ(result->chunks.error().code, ErrorCode::cpu_time_limit_exceeded);
        rest.push_back(result->path);
      }
    }
    return digests;
  }

  /// BLAKE3 that looks around while it hashes.
  static HashAlgorithm watching(std::function<void()> watch) {
    return *HashAlgorithm::custom("watching", [watch = std::move(watch)](Bytes bytes) {
      watch();
      return HashAlgorithm::blake3().hash(bytes);
    });
  }
};

TEST_F(Quota, R10_1_ABatchHasNoMoreThreadsThanItAllows) {
  const Paths paths = make_files(16, 100'000);
  for (const bool own_threads : {false, true}) {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    BatchOptions options{.threads = 8, .quota = {.max_threads = 2}};
    if (own_threads) options.quota.nice_level = 1;
    options.hash = watching([&] {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    Paths rest;
    EXPECT_EQ(chunk(paths, options, rest).size(), paths.size());
    EXPECT_LE(threads.size(), 2U);
  }
}

TEST_F(Quota, R10_3_TheThreadsOfABatchGiveWay) {
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  std::atomic<int> lowest = 19;
  BatchOptions options{.threads = 3, .quota = {.nice_level = 11}};
  options.hash =
      watching([&] { lowest = std::min(lowest.load(), ::getpriority(PRIO_PROCESS, 0)); });
  Paths rest;
  EXPECT_EQ(chunk(make_files(12, 100'000), options, rest).size(), 12U);
  EXPECT_EQ(lowest, std::max(11, mine));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), mine);
}

TEST_F(Quota, R10_4_WhatABatchDidNotReachIsDoneByLaterOnes) {
  const Paths paths = make_files(12, 3'000'000);
  Paths rest;
  const auto expected = chunk(paths, {}, rest);
  ASSERT_EQ(expected.size(), paths.size());
  std::map<std::string, std::vector<Digest>> found;
  std::size_t calls = 0;
  for (Paths todo = paths; !todo.empty(); todo = rest, ++calls) {
    const auto done = chunk(todo, {.threads = 2, .quota = {.cpu_time_limit_ms = 1}}, rest);
    ASSERT_FALSE(done.empty()) << "every call comes closer to the end";
    EXPECT_EQ(done.size() + rest.size(), todo.size());
    found.insert(done.begin(), done.end());
  }
  EXPECT_GT(calls, 1U);
  EXPECT_EQ(found, expected);
}

TEST_F(Quota, R10_4_AGenerousLimitChangesNothing) {
  const Paths paths = make_files(4, 9'000'000);
  Paths rest;
  const auto expected = chunk(paths, {.threads = 2}, rest);
  EXPECT_EQ(chunk(paths, {.threads = 2, .quota = {.cpu_time_limit_ms = 1'000'000}}, rest),
            expected);
  EXPECT_TRUE(rest.empty());
}

TEST_F(Quota, R10_5_R12_5_CooperationYieldsAndChangesNoChunk) {
  constexpr std::size_t kBytes = 10'000'000;
  constexpr std::uint64_t kInterval = 65536;
  const Paths paths = make_files(3, kBytes);
  std::atomic<std::uint64_t> yields = 0;
  const auto count = [&] { ++yields; };
  Paths rest;
  const auto expected = chunk(paths, {.threads = 2, .quota = {.yield = count}}, rest);
  EXPECT_EQ(yields, 0U);
  const auto found = chunk(
      paths, {.threads = 2, .quota = {.yield_interval_bytes = kInterval, .yield = count}}, rest);
  EXPECT_EQ(found, expected);
  EXPECT_GE(yields, paths.size() * (kBytes / kInterval) - 2);
  EXPECT_LE(yields, paths.size() * (kBytes / kInterval + 1));
}

TEST_F(Quota, R12_3_EasingOffChangesNoChunk) {
  const Paths paths = make_files(12, 5'000'000);
  Paths rest;
  EXPECT_EQ(chunk(paths, {.threads = 4, .quota = {.ease_off = true}}, rest),
            chunk(paths, {.threads = 4}, rest));
}

TEST_F(Quota, R10_3_WhatIsNoNiceLevelIsRefused) {
  const auto batch = batch_chunk_files({}, {}, {.quota = {.nice_level = 20}});
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, ErrorCode::invalid_argument);
  auto store = open();
  ASSERT_OK(store);
  IngestOptions options = test::small_chunks();
  options.quota.nice_level = -1;
  const auto done = take_in(*store, {}, options);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
}

TEST_F(Quota, R10_4_WhatAnIngestFinishedIsDurableAndLaterOnesGoOn) {
  std::map<std::string, std::string> nars;
  for (std::uint64_t i = 0; i < 10; ++i) {
    nars["p" + std::to_string(i)] = test::make_nar({{"f", test::random_bytes(i, 2'000'000)}});
  }
  IngestOptions options = test::small_chunks();
  options.threads = 2;
  options.quota.cpu_time_limit_ms = 1;
  std::size_t calls = 0;
  for (auto todo = nars; !todo.empty(); ++calls) {
    ASSERT_LE(calls, nars.size());
    std::size_t done_count = 0;
    {
      auto store = open();
      ASSERT_OK(store);
      const auto done = take_in(*store, todo, options);
      EXPECT_EQ(report_count_, todo.size()) << "each is reported once";
      done_count = std::erase_if(todo, [&](const auto& nar) {
        const auto& result = reported_.at(nar.first);
        EXPECT_TRUE(result || result.error().code == ErrorCode::cpu_time_limit_exceeded);
        return result.has_value();
      });
      if (!todo.empty()) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, ErrorCode::cpu_time_limit_exceeded);
      }
    }
    ASSERT_GT(done_count, 0U) << "every call comes closer to the end";
  }
  EXPECT_GT(calls, 1U);
  const auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name), nar);
  expect_clean(*store);
}

TEST_F(Quota, R10_3_R10_5_AnIngestGivesWayAndYields) {
  std::atomic<int> yields = 0;
  std::atomic<int> lowest = 19;
  const auto hash =
      watching([&] { lowest = std::min(lowest.load(), ::getpriority(PRIO_PROCESS, 0)); });
  options_.hash = hash;
  auto store = open();
  ASSERT_OK(store);
  IngestOptions options = test::small_chunks();
  options.threads = 2;
  options.quota = {.nice_level = 5, .yield_interval_bytes = 1 << 20, .yield = [&] { ++yields; }};
  const std::string nar = test::make_nar({{"f", test::random_bytes(1, 20'000'000)}});
  ASSERT_OK(take_in(*store, {{"a", nar}}, options));
  EXPECT_GE(yields, 5);
  EXPECT_EQ(lowest, std::max(5, ::getpriority(PRIO_PROCESS, 0)));
  EXPECT_EQ(give_back(*store, "a"), nar);
}

TEST_F(Quota, R25_4_AHashThatThrowsIsAnErrorOfItsFile) {
  for (const CpuQuota& quota : {CpuQuota{}, CpuQuota{.nice_level = 1}}) {
    BatchOptions options{.threads = 2, .quota = quota};
    options.hash = watching([] { throw std::runtime_error("no luck"); });
    auto batch = batch_chunk_files(make_files(3, 10'000), {}, options);
    ASSERT_OK(batch);
    int count = 0;
    while (const auto result = batch->next()) {
      ++count;
      ASSERT_FALSE(result->chunks);
      EXPECT_EQ(result->chunks.error().code, ErrorCode::internal);
      EXPECT_NE(result->chunks.error().context.find("no luck"), std::string::npos);
    }
    EXPECT_EQ(count, 3);
  }
}

}  // namespace
}  // namespace chunker
