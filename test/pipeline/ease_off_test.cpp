#include <gtest/gtest.h>
#include <tbb/enumerable_thread_specific.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "pipeline/file_chunks.hpp"
#include "pipeline/ingest_stages.hpp"
#include "pipeline/restore_stages.hpp"
#include "pipeline/row_share.hpp"
#include "pipeline/store_fixture.hpp"
#include "pipeline/workers.hpp"
#include "store/writer.hpp"

// Pressure comes and goes while a large item, or a row of small ones, is worked on: what a machine would say of its
// scheduler is made up here.
namespace chunker::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kThreads = 4;

/// Says of every thread that it has run, or waited, since it asked last.
class MadeUpScheduler {
 public:
  std::atomic<bool> pressure{false};

  resource::SchedulerTimes times() const {
    thread_local resource::SchedulerTimes mine;
    (pressure ? mine.waited : mine.ran) += milliseconds(200);
    return mine;
  }
};

/// How many threads hash at the same time: at first, under pressure, and when it is over. To be part of the hash.
class Watch {
 public:
  enum Phase : std::size_t { before, easing, eased, recovering, after };

  /// What feels the pressure that is made up here.
  [[nodiscard]] CpuUse& use() { return use_; }

  void hash_one() {
    {
      const base::Lock lock(mutex_);
      step();
      ++inside_;
      most_[phase_] = std::max(most_[phase_], inside_);
    }
    std::this_thread::sleep_for(milliseconds(1));
    const base::Lock lock(mutex_);
    --inside_;
  }

  [[nodiscard]] unsigned most(Phase phase) const {
    const base::Lock lock(mutex_);
    return most_[phase];
  }

  void expect_fewer_for_a_time() const {
    EXPECT_GT(most(before), 1U);
    EXPECT_EQ(most(eased), 1U);
    EXPECT_GT(most(after), 1U);
  }

 private:
  void step() CHUNKER_REQUIRES(mutex_) {
    // So many calls of each: more than one thread cuts of a file before others join it, and when fewer are allowed what
    // has begun before must be over first.
    constexpr int kCalls[] = {48, 32, 16, 4};
    const unsigned allowed = use_.threads_allowed();
    if (phase_ == easing && allowed != 1) return;
    if (phase_ == recovering && allowed != kThreads) return;
    if (phase_ == after || ++calls_ < kCalls[phase_]) return;
    calls_ = 0;
    phase_ = static_cast<Phase>(phase_ + 1);
    scheduler_.pressure = phase_ == easing || phase_ == eased;
  }

  MadeUpScheduler scheduler_;
  CpuUse use_{{.ease_off = true}, kThreads, [this] { return scheduler_.times(); }};
  mutable base::Mutex mutex_;
  std::array<unsigned, 5> most_ CHUNKER_GUARDED_BY(mutex_){};
  unsigned inside_ CHUNKER_GUARDED_BY(mutex_) = 0;
  int calls_ CHUNKER_GUARDED_BY(mutex_) = 0;
  Phase phase_ CHUNKER_GUARDED_BY(mutex_) = before;
};

class EaseOff : public test::StoreFixture {
 protected:
  EaseOff() {
    options_.hash = *HashAlgorithm::custom("watching", [this](Bytes bytes) {
      if (Watch* const watch = watch_) watch->hash_one();
      return HashAlgorithm::blake3().hash(bytes);
    });
    ingest_options_.chunking = ChunkingOptions::store();
    ingest_options_.strategy = CompressionStrategy::fastest;
    ingest_options_.deltas = false;
    ingest_options_.threads = kThreads;
  }

  std::string large_nar(std::size_t bytes) {
    return test::make_nar({{"f", test::random_bytes(bytes, bytes)}});
  }

  /// ingest() with a CpuUse of our own, and slabs so short that there are many.
  void take_in_with(CpuUse& use, Store& store, const std::vector<IngestSource>& sources,
                    const std::function<void()>& on_each = {}) {
    Store::Parts& parts = store.parts();
    auto chunking = ingest_options_.chunking.resolve();
    ASSERT_OK(chunking);
    auto hash = ChunkHash::make(parts.options.hash, nullptr);
    ASSERT_OK(hash);
    const auto plan =
        CompressionPlan::make(*parts.options.codecs, {ingest_options_.strategy, 1.0, 0});
    ASSERT_OK(plan);
    const IngestMemory memory{{}, kThreads, 512 << 10, 2 * kThreads, 1, 8 << 20};
    ProgressMeter progress({}, sources.size(), 0);
    Pool<Slab> slabs;
    NarHashes hashes(memory.hash_bytes_max);
    PackagesUnderWay packages;
    store::StoreWriter writer(parts);
    tbb::enumerable_thread_specific<FrameBuilder> builders(
        [&] { return FrameBuilder(parts, writer, FrameCompressor(*plan)); });
    const IngestShared shared{parts,    writer, *hash,  *chunking, ingest_options_.chunking.recipe,
                              {},       false,  memory, {},        &use,
                              progress, slabs,  hashes, builders,  packages};
    IngestQueue queue(sources);
    std::atomic<std::size_t> reports{0};
    ingest_nars(shared, queue, [&](std::size_t i) -> IngestOrder {
      return {&sources[i],
              [&](const Result<IngestedNar>& result) {
                EXPECT_OK(result);
                ++reports;
              },
              [&, i] {
                queue.end(i);
                if (on_each) on_each();
              }};
    });
    EXPECT_OK(writer.finish());
    EXPECT_EQ(reports, sources.size());
  }

  std::vector<IngestSource> written(const std::map<std::string, std::string>& nars) {
    std::vector<IngestSource> sources;
    for (const auto& [name, nar] : nars) {
      sources.push_back({IngestSource::Kind::nar_file, write_nar(name, nar), -1, {}});
    }
    return sources;
  }

  /// Everything in the store, by threads that watch.
  void give_back_with(CpuUse& use, const Store& store, const std::vector<StoredNar>& nars) {
    const RestoreMemory memory{{}, kThreads, RestoreMemory::kRunsPerThread * kThreads, 1, 8 << 20};
    Pool<FrameRun> runs;
    NarHashes hashes(memory.hash_bytes_max);
    Store::Parts& parts = store.parts();
    tbb::enumerable_thread_specific<store::FrameReader> readers(
        [&] { return store::FrameReader(parts); });
    const RestoreShared shared{parts, memory, {}, &use, nullptr, runs, hashes, readers};
    std::atomic<std::size_t> next{0};
    restore_nars(shared, nars.size(), [&]() -> std::optional<NarOrder> {
      const std::size_t i = next++;
      if (i >= nars.size()) return std::nullopt;
      NarOrder order;
      order.nar_sha256 = nars[i].nar_sha256;
      order.sink = [](Bytes) -> Result<void> { return {}; };
      order.on_end = [](const Result<void>& result) { EXPECT_OK(result); };
      return order;
    });
  }

  IngestOptions ingest_options_;
  std::atomic<Watch*> watch_{nullptr};
};

TEST_F(EaseOff, R12_3_OneLargeNarIsTakenInByFewerThreadsUnderPressureAndByAllAgainWithout) {
  auto store = open();
  ASSERT_OK(store);
  const std::string nar = large_nar(128 << 20);
  Watch watch;
  watch_ = &watch;
  take_in_with(watch.use(), *store, written({{"large", nar}}));
  watch_ = nullptr;
  watch.expect_fewer_for_a_time();
  EXPECT_TRUE(*give_back(*store, "large") == nar);
}

TEST_F(EaseOff, R12_3_OneLargeNarIsGivenBackByFewerThreadsUnderPressureAndByAllAgainWithout) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"large", large_nar(128 << 20)}}, ingest_options_));
  const auto found = store->find("large");
  ASSERT_OK(found);
  Watch watch;
  watch_ = &watch;
  give_back_with(watch.use(), *store, {*found});
  watch_ = nullptr;
  watch.expect_fewer_for_a_time();
}

TEST_F(EaseOff, R12_3_SoAreManyNarsAtATime) {
  std::map<std::string, std::string> nars;
  for (int i = 0; i < 32; ++i) {
    nars["n" + std::to_string(i)] =
        test::make_nar({{"f", test::random_bytes(static_cast<unsigned>(i), 4 << 20)}});
  }
  auto store = open();
  ASSERT_OK(store);
  Watch taking_in;
  watch_ = &taking_in;
  take_in_with(taking_in.use(), *store, written(nars));
  taking_in.expect_fewer_for_a_time();
  std::vector<StoredNar> stored;
  for (const auto& [name, nar] : nars) stored.push_back(*store->find(name));
  Watch giving_back;
  watch_ = &giving_back;
  give_back_with(giving_back.use(), *store, stored);
  watch_ = nullptr;
  giving_back.expect_fewer_for_a_time();
  for (const auto& [name, nar] : nars) EXPECT_TRUE(*give_back(*store, name) == nar);
}

TEST_F(EaseOff, R12_3_OneLargeFileOfABatchIsCutByFewerThreadsForATime) {
  const auto path = write_nar("large", test::random_bytes(1, 128 << 20));
  const auto chunks_with = [&](std::shared_ptr<CpuUse> use) {
    FileChunks chunks;
    auto cut = FileCut::make(ChunkingOptions::store(), {.hash = options_.hash});
    EXPECT_OK(cut);
    cut->cpu = std::move(use);
    ByteBuffer buffer;
    ProgressMeter progress({}, 1, 0);
    const auto work = [&](std::size_t) {
      auto cut_file = chunk_file(path, *cut, buffer, progress, [] { return kThreads; });
      EXPECT_OK(cut_file);
      chunks = *std::move(cut_file);
    };
    for_each_in_order(kThreads, 1, work, cut->cpu.get());
    return chunks;
  };
  const FileChunks expected = chunks_with(nullptr);
  Watch watch;
  watch_ = &watch;
  const FileChunks found =
      chunks_with(std::shared_ptr<CpuUse>(std::shared_ptr<void>(), &watch.use()));
  watch_ = nullptr;
  watch.expect_fewer_for_a_time();
  EXPECT_EQ(found.digests, expected.digests);
  EXPECT_EQ(found.extents, expected.extents);
}

// It has given back its place, so that nobody waits for it; its share is still that of a row among the others.
TEST(RowShare, R12_3_UnderPressureWhatMayWaitForItsInputComesToReadIt) {
  MadeUpScheduler scheduler;
  scheduler.pressure = true;
  CpuUse use({.ease_off = true}, kThreads, [&] { return scheduler.times(); });
  std::thread([&use] {
    use.spend(8 << 20);
  }).join();  // One that has not run for another use before.
  ASSERT_LT(use.threads_allowed(), kThreads);
  ASSERT_GT(use.threads_allowed(), 1U);
  Rows rows(2, &use);
  const Rows::Place another(rows);
  RowShare pipe(2, std::size_t{2} * kThreads, rows);
  int starts = 0;
  int reads = 0;
  pipe.run([&](std::size_t) {
    ++starts;
    while (starts < 1000 && reads < 3 && !pipe.changes(true)) ++reads;
  });
  EXPECT_EQ(reads, 3);
  EXPECT_LT(starts, 3);
}

TEST_F(EaseOff, R12_3_UnderPressureAnIdlePipeKeepsNobodyWaiting) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::vector<IngestSource> sources = {
      {IngestSource::Kind::file_descriptor, {}, ends[0], "from-a-pipe"}};
  std::map<std::string, std::string> nars;
  for (int i = 0; i < 8; ++i) {
    nars["n" + std::to_string(i)] =
        test::make_nar({{"f", test::random_bytes(static_cast<unsigned>(i), 9 << 20)}});
  }
  for (IngestSource& source : written(nars)) sources.push_back(std::move(source));
  auto store = open();
  ASSERT_OK(store);
  MadeUpScheduler scheduler;
  scheduler.pressure = true;
  CpuUse use({.ease_off = true}, kThreads, [&] { return scheduler.times(); });
  std::atomic<std::size_t> ended{0};
  std::promise<void> all_files;
  auto taken_in = std::async(std::launch::async, [&] {
    take_in_with(use, *store, sources, [&] {
      if (++ended == nars.size()) all_files.set_value();
    });
  });
  EXPECT_EQ(all_files.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready)
      << ended << " files were taken in while the pipe had nothing";
  EXPECT_EQ(use.threads_allowed(), 1U);
  const std::string nar = test::make_nar({{"file", test::random_text(77, 20'000)}});
  EXPECT_EQ(::write(ends[1], nar.data(), nar.size()), static_cast<ssize_t>(nar.size()));
  ::close(ends[1]);
  taken_in.get();
  ::close(ends[0]);
  EXPECT_TRUE(*give_back(*store, "from-a-pipe") == nar);
}

}  // namespace
}  // namespace chunker::pipeline
