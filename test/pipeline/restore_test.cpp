// What may go wrong around a restore: callers' functions that throw or use TBB themselves, outputs that nobody reads,
// more threads than work.
#include <fcntl.h>
#include <sys/stat.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "codec/toy_codec.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using std::chrono::milliseconds;
using test::random_bytes;

/// SHA-256 that first does what the test wants.
class WatchedHash {
 public:
  HashAlgorithm make() {
    return *HashAlgorithm::custom("watched", [this](Bytes bytes) {
      ++count_;
      if (before_) before_();
      return HashAlgorithm::sha256().hash(bytes);
    });
  }
  void before_each(std::function<void()> before) { before_ = std::move(before); }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::function<void()> before_;
  std::atomic<std::size_t> count_{0};
};

/// A codec whose threads are TBB's, so that the one that waits looks for other work meanwhile.
struct CodecOnTbb : test::ToyCodec {
  static void use_tbb() {
    tbb::parallel_for(
        0, 4, [](int) { std::this_thread::sleep_for(std::chrono::microseconds(300)); },
        tbb::simple_partitioner());
  }
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const {
    use_tbb();
    return ToyCodec::compress(input, scratch, output);
  }
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const {
    use_tbb();
    return ToyCodec::decompress(input, output_bytes_max, scratch, output);
  }
};

class Restoring : public test::StoreFixture {
 protected:
  /// Takes in NARs of so many bytes each, and says where they are to be restored to.
  std::vector<RestoreJob> take_in_nars(Store& store, std::size_t count, std::size_t nar_bytes) {
    std::map<std::string, std::string> nars;
    for (std::size_t i = 0; i < count; ++i) {
      nars[std::to_string(i) + ".nar"] = test::make_nar({{"f", random_bytes(i, nar_bytes)}});
    }
    EXPECT_OK(take_in(store, nars));
    std::vector<RestoreJob> jobs;
    for (const auto& [name, result] : reported_) {
      jobs.push_back({result->nar_sha256, directory_.path() / ("out-" + name)});
    }
    return jobs;
  }

  void expect_restored(const std::vector<RestoreJob>& jobs) {
    for (const RestoreJob& job : jobs) {
      const std::string nar = test::read_file(job.path);
      EXPECT_TRUE(HashAlgorithm::sha256().hash(bytes_of(nar)) == job.nar_sha256) << job.path;
    }
  }

  WatchedHash hash_;
};

TEST_F(Restoring, R25_4_WhatOnRestoredThrowsReachesTheCallerAndEveryJobIsDone) {
  auto store = open();
  ASSERT_OK(store);
  auto jobs = take_in_nars(*store, 12, 30'000);
  const RestoreJob absent{Digest{}, directory_.path() / "absent"};
  jobs.push_back(absent);
  std::size_t told_count = 0;
  const auto done = restore_many(*store, jobs, {.threads = 2}, [&](const auto& job, const auto&) {
    ++told_count;
    throw std::runtime_error(job.path.filename().string());
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
  EXPECT_NE(done.error().context, "");
  EXPECT_EQ(told_count, jobs.size());
  jobs.pop_back();
  expect_restored(jobs);
}

TEST_F(Restoring, R25_4_WhatOnProgressThrowsReachesTheCallerAndDamagesNothing) {
  auto store = open();
  ASSERT_OK(store);
  const auto jobs = take_in_nars(*store, 4, 300'000);
  std::size_t failed_count = 0;
  const auto done = restore_many(
      *store, jobs, {.threads = 2},
      [&](const auto&, const auto& result) {
        failed_count += !result;
        std::this_thread::sleep_for(milliseconds(60));  // Progress is told of every 50 ms.
      },
      [](const Progress&) { throw std::runtime_error("the display is gone"); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
  EXPECT_EQ(done.error().context, "the display is gone");
  EXPECT_EQ(failed_count, 0U);
  expect_restored(jobs);
}

TEST_F(Restoring, R25_4_WhatOnProgressThrowsWhileVerifyingIsNoProblemOfAPack) {
  options_.hash = hash_.make();
  auto store = open();
  ASSERT_OK(store);
  (void)take_in_nars(*store, 1, 300'000);
  hash_.before_each([] { std::this_thread::sleep_for(milliseconds(5)); });
  std::size_t problem_count = 0;
  const auto report = verify(
      *store, {.content = true}, [&](const Error&) { ++problem_count; },
      [](const Progress&) { throw std::runtime_error("the display is gone"); });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().context, "the display is gone");
  EXPECT_EQ(problem_count, 0U);
}

TEST_F(Restoring, R25_4_ASinkThatThrowsIsAnErrorOfTheRestore) {
  auto store = open();
  ASSERT_OK(store);
  const auto jobs = take_in_nars(*store, 1, 300'000);
  const auto done = restore(*store, jobs.front().nar_sha256,
                            [](Bytes) -> Result<void> { throw std::runtime_error("no more"); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
  EXPECT_EQ(done.error().context, "no more");
}

TEST_F(Restoring, R25_3_ACodecMayUseTbb) {
  auto registry = std::make_shared<CodecRegistry>();
  ASSERT_OK(registry->add(*CodecRegistry::builtin()->by_id(CodecId::none)));
  ASSERT_OK(registry->add(CompressionCodec::of(CodecOnTbb{})));
  options_.codecs = registry;
  std::string runs;
  for (const char byte : random_bytes(1, 60'000)) runs.append(200, byte);
  const std::string nar = test::make_nar({{"runs", runs}});
  auto store = open();
  ASSERT_OK(store);
  auto options = test::small_chunks();
  options.strategy = CompressionStrategy::automatic;
  options.threads = 4;
  ASSERT_OK(take_in(*store, {{"runs.nar", nar}}, options));
  const auto& taken = reported_.at("runs.nar");
  ASSERT_OK(taken);
  const std::vector<RestoreJob> jobs{{taken->nar_sha256, directory_.path() / "out"}};
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(restore_many(*store, jobs, {.threads = 4},
                           [&](const auto&, const auto& result) { EXPECT_OK(result); }));
  }
  expect_restored(jobs);
}

TEST_F(Restoring, FramesThatNobodyTakesAreBoundedByTheThreads) {
  constexpr unsigned kThreads = 8;
  options_.hash = hash_.make();
  options_.layout = StoreLayout::objects;
  auto store = open();
  ASSERT_OK(store);
  const auto jobs = take_in_nars(*store, kThreads / 2, 1'000'000);
  std::vector<int> ends;
  for (const RestoreJob& job : jobs) {
    ASSERT_EQ(::mkfifo(job.path.c_str(), 0600), 0);
    ends.push_back(::open(job.path.c_str(), O_RDONLY | O_NONBLOCK));
    ASSERT_GE(ends.back(), 0);
    ::fcntl(ends.back(), F_SETPIPE_SZ, 4096);
  }
  const std::size_t before = hash_.count();
  std::atomic<bool> done = false;
  std::jthread restoring([&] {
    EXPECT_OK(restore_many(*store, jobs, {.threads = kThreads},
                           [&](const auto&, const auto& result) { EXPECT_OK(result); }));
    done = true;
  });
  std::size_t decoded = 0;
  for (int still = 0; still < 30; std::this_thread::sleep_for(milliseconds(10))) {
    const std::size_t now = hash_.count() - before;
    still = now == decoded && now != 0 ? still + 1 : 0;
    decoded = now;
  }
  std::string drained(1 << 20, '\0');
  while (!done) {
    ::ssize_t count = 0;
    for (const int end : ends) count += ::read(end, drained.data(), drained.size());
    if (count <= 0) std::this_thread::sleep_for(milliseconds(1));
  }
  for (const int end : ends) ::close(end);
  // Three per thread, one that each output is taking, and what the manifests have.
  EXPECT_LE(decoded, 3 * kThreads + 4 * jobs.size());
}

}  // namespace
}  // namespace chunker
