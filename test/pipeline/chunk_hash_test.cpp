#include "pipeline/chunk_hash.hpp"

#include <gtest/gtest.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "pipeline/store_fixture.hpp"

namespace chunker::pipeline {
namespace {

TEST(ChunkHash, R8_1_LargeInputsHaveTheSameDigestOnAnyNumberOfThreads) {
  const std::string large = test::random_bytes(1, 9'000'001), small = test::random_bytes(2, 70'000);
  const std::vector<Bytes> inputs{bytes_of(small), bytes_of(large), bytes_of(large).first(4 << 20)};
  for (const auto& algorithm : {HashAlgorithm::blake3(), HashAlgorithm::sha256()}) {
    const auto hash = ChunkHash::make(algorithm, nullptr);
    ASSERT_OK(hash);
    for (const int threads : {1, 2, 5}) {
      std::vector<Digest> digests(inputs.size());
      tbb::task_arena(threads).execute([&] { hash->hash_many(inputs, digests); });
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        EXPECT_EQ(digests[i], algorithm.hash(inputs[i])) << i << ", " << threads << " threads";
        Digest alone;
        tbb::task_arena(threads).execute([&] { hash->hash_many({&inputs[i], 1}, {&alone, 1}); });
        EXPECT_EQ(alone, algorithm.hash(inputs[i])) << i << ", " << threads << " threads";
      }
    }
  }
}

struct CountThreads : tbb::task_scheduler_observer {
  explicit CountThreads(tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
  ~CountThreads() override { observe(false); }
  void on_scheduler_entry(bool) override { ++count; }
  std::atomic<int> count{0};
};

TEST(ChunkHash, R8_1_ThreadsShareALargeInput) {
  const std::vector<std::byte> large(64 << 20);
  const std::vector<Bytes> inputs{large};
  std::vector<Digest> digests(1);
  const auto hash = ChunkHash::make(HashAlgorithm::blake3(), nullptr);
  ASSERT_OK(hash);
  // Also on a machine with one processor.
  const tbb::global_control four(tbb::global_control::max_allowed_parallelism, 4);
  tbb::task_arena arena(4);
  CountThreads threads(arena);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  do {
    threads.count = 0;
    arena.execute([&] { hash->hash_many(inputs, digests); });
  } while (threads.count < 2 && std::chrono::steady_clock::now() < until);
  EXPECT_GE(threads.count, 2);  // One is who waits.
}

}  // namespace
}  // namespace chunker::pipeline
