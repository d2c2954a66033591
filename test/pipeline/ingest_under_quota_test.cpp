#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline/store_fixture.hpp"

// Many NARs under way, some of which fail, by threads of the operation's own: all come to an end, each is reported
// once, and what is reported as stored is stored.
namespace chunker {
namespace {

struct Setting {
  const char* name;
  CpuQuota quota;
};

const Setting kSettings[] = {
    {"nice", {.nice_level = 1}},
    {"limit", {.cpu_time_limit_ms = 1}},
    {"ease_off", {.ease_off = true}},
    {"all", {.max_threads = 3, .nice_level = 1, .cpu_time_limit_ms = 20, .ease_off = true}},
};

class IngestUnderQuota : public test::StoreFixture,
                         public testing::WithParamInterface<std::tuple<unsigned, Setting>> {
 protected:
  void SetUp() override {
    // Versions of few packages, so that NARs wait for each other, and one of several slabs.
    for (std::uint64_t i = 0; i < 15; ++i) {
      const std::string name = "p" + std::to_string(i % 4) + "-" + std::to_string(i);
      add(name, test::make_nar({{"f", test::random_bytes(i, i == 3 ? 9'000'000 : 300'000)}}));
    }
    const std::string whole = test::make_nar({{"f", test::random_bytes(99, 3'000'000)}});
    add("p0-cut-off", whole.substr(0, 2'500'000));
    add("p1-no-nar", test::random_bytes(7, 100'000));
    sources_.push_back({IngestSource::Kind::nar_file, directory_.path() / "p2-absent", -1, {}});
    options_of_ingest_.threads = std::get<0>(GetParam());
    options_of_ingest_.quota = std::get<1>(GetParam()).quota;
  }

  void add(const std::string& name, const std::string& nar) {
    nars_[name] = nar;
    sources_.push_back({IngestSource::Kind::nar_file, write_nar(name, nar), -1, {}});
  }

  /// Counts reports, and what was stored and not reached; `on_each` is called for each as well.
  Result<void> take_all_in(Store& store, const std::function<void()>& on_each = {}) {
    return ingest(store, sources_, options_of_ingest_, [&](const auto& source, const auto& result) {
      const std::string name = source.path.filename();
      EXPECT_TRUE(reported_names_.insert(name).second) << name << " was reported twice";
      if (result) {
        stored_.insert(name);
      } else if (result.error().code == ErrorCode::cpu_time_limit_exceeded) {
        ++not_reached_;
      } else {
        EXPECT_TRUE(name == "p0-cut-off" || name == "p1-no-nar" || name == "p2-absent")
            << describe(result.error());
      }
      if (on_each) on_each();
    });
  }

  void expect_all_came_to_an_end(const Store& store) const {
    EXPECT_EQ(reported_names_.size(), sources_.size());
    EXPECT_FALSE(stored_.empty());
    for (const std::string& name : stored_) EXPECT_TRUE(*give_back(store, name) == nars_.at(name));
    expect_clean(store);
  }

  std::map<std::string, std::string> nars_;
  std::vector<IngestSource> sources_;
  IngestOptions options_of_ingest_ = test::small_chunks();
  std::set<std::string> reported_names_;
  std::set<std::string> stored_;
  std::size_t not_reached_ = 0;
};

TEST_P(IngestUnderQuota, R10_4_R25_4_EveryNarComesToAnEnd) {
  auto store = open();
  ASSERT_OK(store);
  const auto done = take_all_in(*store);
  EXPECT_EQ(done.has_value(), not_reached_ == 0);
  EXPECT_TRUE(done || done.error().code == ErrorCode::cpu_time_limit_exceeded);
  EXPECT_GE(stored_.size() + not_reached_, 15U);
  expect_all_came_to_an_end(*store);
}

TEST_P(IngestUnderQuota, R25_4_ACallbackThatThrowsKeepsNoNarFromItsEnd) {
  auto store = open();
  ASSERT_OK(store);
  const auto done = take_all_in(*store, [] { throw std::runtime_error("no luck"); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
  EXPECT_NE(done.error().context.find("no luck"), std::string::npos);
  expect_all_came_to_an_end(*store);
}

INSTANTIATE_TEST_SUITE_P(All, IngestUnderQuota,
                         testing::Combine(testing::Values(1U, 2U, 64U),
                                          testing::ValuesIn(kSettings)),
                         [](const auto& instance) {
                           return std::string(std::get<1>(instance.param).name) + "_" +
                                  std::to_string(std::get<0>(instance.param)) + "_threads";
                         });

class IngestUnderLimit : public test::StoreFixture {};

TEST_F(IngestUnderLimit, R10_4_NobodyWaitsForThePipeOfANarThatIsNotReached) {
  auto store = open();
  ASSERT_OK(store);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const std::string nar = test::make_nar({{"f", test::random_bytes(1, 9'000'000)}});
  const std::vector<IngestSource> sources = {
      {IngestSource::Kind::nar_file, write_nar("file", nar), -1, {}},
      {IngestSource::Kind::file_descriptor, {}, ends[0], "from-a-pipe"}};
  IngestOptions options = test::small_chunks();
  options.threads = 1;
  options.quota.cpu_time_limit_ms = 1;
  std::map<std::string, Result<IngestedNar>> results;
  auto ingested = std::async(std::launch::async, [&] {
    return ingest(*store, sources, options, [&](const auto& source, const auto& result) {
      results.emplace(source.name, result);
    });
  });
  EXPECT_EQ(ingested.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  ::close(ends[1]);
  const auto done = ingested.get();
  ::close(ends[0]);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::cpu_time_limit_exceeded);
  EXPECT_TRUE(results.at(""));
  EXPECT_EQ(results.at("from-a-pipe").error().code, ErrorCode::cpu_time_limit_exceeded);
}

}  // namespace
}  // namespace chunker
