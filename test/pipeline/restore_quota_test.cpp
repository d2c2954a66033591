#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "pipeline/store_fixture.hpp"

// What a CpuQuota does for restoring and for verify. What it does for ingest and batches is in cpu_quota_test.cpp.
namespace chunker {
namespace {

class RestoreQuota : public test::StoreFixture {
 protected:
  /// Some NARs in a store whose hash looks around, and whose packs are small.
  void SetUp() override {
    options_.pack_bytes_target = 1 << 20;
    options_.hash = *HashAlgorithm::custom("watching", [this](Bytes bytes) {
      look();
      return HashAlgorithm::blake3().hash(bytes);
    });
    for (std::uint64_t i = 0; i < 12; ++i) {
      nars_["n" + std::to_string(i)] = test::make_nar({{"f", test::random_bytes(i, 1'000'000)}});
    }
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
    store_.emplace(*std::move(store));
    for (const auto& [name, nar] : nars_) {
      jobs_.push_back({store_->find(name)->nar_sha256, directory_.path() / ("restored-" + name)});
    }
    forget();
  }

  void look() {
    const int level = ::getpriority(PRIO_PROCESS, 0);
    {
      const base::Lock lock(mutex_);
      threads_.insert(std::this_thread::get_id());
      lowest_ = std::min(lowest_, level);
    }
    std::this_thread::sleep_for(pause_.load());
  }
  void forget() {
    const base::Lock lock(mutex_);
    threads_.clear();
    lowest_ = 19;
  }
  std::size_t thread_count() const {
    const base::Lock lock(mutex_);
    return threads_.size();
  }
  int lowest() const {
    const base::Lock lock(mutex_);
    return lowest_;
  }

  Result<void> restore_jobs(const std::vector<RestoreJob>& jobs, const RestoreOptions& options) {
    outcomes_.clear();
    report_count_ = 0;
    return restore_many(*store_, jobs, options, [this](const auto& job, const auto& result) {
      ++report_count_;
      outcomes_.emplace(job.path, result);
    });
  }

  Result<VerifyReport> check(const VerifyOptions& options) {
    problems_.clear();
    return verify(*store_, options,
                  [this](const Error& problem) { problems_.push_back(describe(problem)); });
  }

  void expect_restored() const {
    for (const auto& [name, nar] : nars_) {
      EXPECT_TRUE(test::read_file(directory_.path() / ("restored-" + name)) == nar) << name;
    }
  }

  std::map<std::string, std::string> nars_;
  std::optional<Store> store_;
  std::vector<RestoreJob> jobs_;
  std::map<std::filesystem::path, Result<void>> outcomes_;
  std::vector<std::string> problems_;
  std::atomic<std::chrono::microseconds> pause_{};

 private:
  mutable base::Mutex mutex_;
  std::set<std::thread::id> threads_ CHUNKER_GUARDED_BY(mutex_);
  int lowest_ CHUNKER_GUARDED_BY(mutex_) = 19;
};

TEST_F(RestoreQuota, R10_1_RestoreAndVerifyHaveNoMoreThreadsThanItAllows) {
  pause_ = std::chrono::microseconds(100);
  for (const bool own_threads : {false, true}) {
    const CpuQuota quota{.max_threads = 2, .nice_level = own_threads ? 1 : 0};
    forget();
    ASSERT_OK(restore_jobs(jobs_, {.threads = 6, .quota = quota}));
    EXPECT_LE(thread_count(), 2U);
    expect_restored();
    forget();
    ASSERT_OK(check({.content = true, .threads = 6, .quota = quota}));
    EXPECT_LE(thread_count(), 2U);
  }
  forget();
  ASSERT_OK(check({.content = true, .threads = 6, .quota = {.max_threads = 6, .nice_level = 1}}));
  EXPECT_GT(thread_count(), 2U) << "otherwise nothing was seen here";
}

TEST_F(RestoreQuota, R10_3_TheThreadsOfRestoreAndVerifyGiveWay) {
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  const CpuQuota quota{.nice_level = 9};
  const auto expect_low = [&] {
    EXPECT_EQ(lowest(), std::max(9, mine));
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), mine);
    forget();
  };
  ASSERT_OK(restore_jobs(jobs_, {.threads = 3, .quota = quota}));
  expect_low();
  ASSERT_OK(check({.content = true, .threads = 3, .quota = quota}));
  expect_low();
  const auto ignore = [](Bytes) -> Result<void> { return {}; };
  const RestoreOptions options{.threads = 2, .quota = quota};
  ASSERT_OK(restore(*store_, jobs_[0].nar_sha256, ignore, options));
  expect_low();
  ASSERT_OK(restore_range(*store_, jobs_[0].nar_sha256, {1000, 9000}, ignore, options));
  expect_low();
  ASSERT_OK(restore_to_file(*store_, jobs_[0].nar_sha256, jobs_[0].path, options));
  expect_low();
}

TEST_F(RestoreQuota, R10_3_WhatIsNoNiceLevelIsRefused) {
  const auto expect_refused = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  };
  const RestoreOptions options{.quota = {.nice_level = 20}};
  const auto ignore = [](Bytes) -> Result<void> { return {}; };
  expect_refused(restore_jobs(jobs_, options));
  EXPECT_EQ(report_count_, 0U);
  expect_refused(restore(*store_, jobs_[0].nar_sha256, ignore, options));
  expect_refused(restore_range(*store_, jobs_[0].nar_sha256, {0, 9}, ignore, options));
  expect_refused(restore_to_file(*store_, jobs_[0].nar_sha256, jobs_[0].path, options));
  expect_refused(check({.quota = {.nice_level = -1}}));
}

TEST_F(RestoreQuota, R10_4_WhatARestoreDidNotReachIsReportedAndDoneByLaterOnes) {
  const RestoreOptions options{.threads = 2, .quota = {.cpu_time_limit_ms = 1}};
  std::size_t calls = 0;
  for (auto todo = jobs_; !todo.empty(); ++calls) {
    ASSERT_LE(calls, jobs_.size());
    const auto done = restore_jobs(todo, options);
    EXPECT_EQ(report_count_, todo.size()) << "each is reported once";
    const std::size_t restored = std::erase_if(todo, [&](const RestoreJob& job) {
      const auto& result = outcomes_.at(job.path);
      EXPECT_TRUE(result || result.error().code == ErrorCode::cpu_time_limit_exceeded);
      EXPECT_EQ(std::filesystem::exists(job.path), result.has_value());
      return result.has_value();
    });
    ASSERT_GT(restored, 0U) << "every call comes closer to the end";
    EXPECT_EQ(done.has_value(), todo.empty());
    EXPECT_TRUE(done || done.error().code == ErrorCode::cpu_time_limit_exceeded);
  }
  EXPECT_GT(calls, 1U);
  expect_restored();
  const std::string prefix = ".restored-";
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(prefix)) << "a file was left over";
  }
}

TEST_F(RestoreQuota, R10_4_OneNarIsGivenBackWhateverTheLimit) {
  std::string nar;
  const auto keep = [&](Bytes bytes) -> Result<void> {
    nar.append(text_of(bytes));
    return {};
  };
  const RestoreOptions options{.threads = 1, .quota = {.cpu_time_limit_ms = 1}};
  ASSERT_OK(restore(*store_, jobs_[0].nar_sha256, keep, options));
  EXPECT_TRUE(nar == nars_.begin()->second);
  ASSERT_OK(restore_to_file(*store_, jobs_[0].nar_sha256, jobs_[0].path, options));
}

TEST_F(RestoreQuota, R10_4_VerifySaysWhatItDidNotReach) {
  const auto all = check({.content = true});
  ASSERT_OK(all);
  EXPECT_TRUE(all->is_complete());
  ASSERT_GT(all->packs, 3U);
  const auto some = check({.content = true, .threads = 2, .quota = {.cpu_time_limit_ms = 1}});
  ASSERT_OK(some);
  EXPECT_FALSE(some->is_complete());
  EXPECT_GE(some->packs, 1U);
  EXPECT_EQ(some->packs + some->packs_not_reached, all->packs);
  EXPECT_EQ(some->nars, 0U);
  EXPECT_EQ(some->nars_not_reached, nars_.size());
  EXPECT_LT(some->bytes_read, all->bytes_read);
  EXPECT_TRUE(problems_.empty()) << problems_.front();
  const auto again = check({.content = true, .quota = {.cpu_time_limit_ms = 1'000'000}});
  ASSERT_OK(again);
  EXPECT_TRUE(again->is_complete());
  EXPECT_EQ(again->nars, nars_.size());
}

TEST_F(RestoreQuota, R10_4_VerifyStopsAmongTheNarsToo) {
  options_.pack_bytes_target = 64 << 20;
  std::optional<Store> one_pack;
  {
    auto store = Store::open(directory_.path() / "one-pack", options_);
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars_));
    one_pack.emplace(*std::move(store));
  }
  const auto report =
      verify(*one_pack, {.content = true, .threads = 2, .quota = {.cpu_time_limit_ms = 1}},
             [](const Error& problem) { ADD_FAILURE() << describe(problem); });
  ASSERT_OK(report);
  EXPECT_EQ(report->packs, 1U) << "one is looked at in any case";
  EXPECT_EQ(report->packs_not_reached, 0U);
  EXPECT_EQ(report->nars_not_reached, nars_.size());
}

TEST_F(RestoreQuota, R10_4_ARepairHasNoTimeLimit) {
  const auto refused =
      check({.content = true, .repair = true, .quota = {.cpu_time_limit_ms = 1'000'000}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_OK(check({.content = true, .repair = true, .quota = {.nice_level = 3}}));
}

TEST_F(RestoreQuota, R10_5_RestoreAndVerifyYield) {
  std::atomic<int> yields = 0;
  const CpuQuota quota{.yield_interval_bytes = 100'000, .yield = [&] { ++yields; }};
  ASSERT_OK(restore_jobs(jobs_, {.threads = 1, .quota = quota}));
  EXPECT_GE(yields, 12) << "once for each NAR, at least";
  expect_restored();
  yields = 0;
  ASSERT_OK(check({.content = true, .threads = 1, .quota = quota}));
  EXPECT_GE(yields, 12) << "once for each NAR, at least";
}

TEST_F(RestoreQuota, R25_4_WhatAYieldThrowsIsTheCallersErrorAndNoDamage) {
  const CpuQuota quota{.yield_interval_bytes = 1,
                       .yield = [] { throw std::runtime_error("no luck"); }};
  ASSERT_OK(restore_jobs(jobs_, {.threads = 2, .quota = quota}));
  for (const auto& [path, result] : outcomes_) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::internal);
    EXPECT_NE(result.error().context.find("no luck"), std::string::npos);
  }
  const auto checked = check({.content = true, .threads = 2, .quota = quota});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::internal);
  EXPECT_TRUE(problems_.empty()) << problems_.front();
}

TEST_F(RestoreQuota, R12_3_EasingOffChangesNothingThatComesBack) {
  const CpuQuota quota{.ease_off = true};
  ASSERT_OK(restore_jobs(jobs_, {.threads = 4, .quota = quota}));
  expect_restored();
  const auto report = check({.content = true, .threads = 4, .quota = quota});
  ASSERT_OK(report);
  EXPECT_EQ(report->nars, nars_.size());
  EXPECT_EQ(report->problems, 0U);
}

}  // namespace
}  // namespace chunker
