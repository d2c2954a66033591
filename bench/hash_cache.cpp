// A cache of hashes against hashing again: cmake -DCHUNKER_BUILD_BENCH=ON, then bench/bench_hash_cache [FILE...];
// files are cut and hashed as well, by one thread, as often as it takes.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "chunker/batch.hpp"
#include "chunker/hash_cache.hpp"
#include "ratios.hpp"

namespace chunker::bench {
namespace {

constexpr std::size_t kKiB = 1024;
/// More than processors keep: the contents of a cache are seldom the ones that were touched last.
constexpr std::size_t kWorkloadBytes = 128 * 1024 * kKiB;

/// Contents as a cutter gives them, side by side, in slabs.
struct Workload {
  Workload(std::size_t smallest, std::size_t largest) {
    std::mt19937_64 engine(1);
    bytes.resize(kWorkloadBytes);
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      const std::uint64_t word = engine();
      std::memcpy(bytes.data() + at, &word, 8);
    }
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size =
          std::min(smallest + engine() % (largest - smallest + 1), bytes.size() - at);
      contents.push_back(bytes.view().subspan(std::exchange(at, at + size), size));
    }
  }

  ByteBuffer bytes;
  std::vector<Bytes> contents;
};

using Shared = std::shared_ptr<const Workload>;

/// In slabs of some MiB, as in the pipeline.
template <class HashMany>
void run(benchmark::State& state, const Workload& workload, const HashMany& hash_many) {
  const std::size_t per_slab =
      std::max<std::size_t>(1, workload.contents.size() * 2048 * kKiB / kWorkloadBytes);
  std::vector<Digest> digests(per_slab);
  for (auto _ : state) {
    for (std::size_t i = 0; i < workload.contents.size(); i += per_slab) {
      const std::size_t count = std::min(per_slab, workload.contents.size() - i);
      hash_many(std::span(workload.contents).subspan(i, count), std::span(digests).first(count));
      benchmark::DoNotOptimize(digests.data());
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kWorkloadBytes));
}

template <class Run>
benchmark::internal::Benchmark* add(const std::string& name, Run run) {
  return benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
}

void compare(const std::string& what, const HashAlgorithm& algorithm, const Shared& workload) {
  const std::string title = std::string(algorithm.name()) + " " + what;
  add(title + "/one by one", [=](benchmark::State& state) {
    run(state, *workload, [&](std::span<const Bytes> inputs, std::span<Digest> digests) {
      for (std::size_t i = 0; i < inputs.size(); ++i) digests[i] = algorithm.hash(inputs[i]);
    });
  });
  add(title + "/together", [=](benchmark::State& state) {
    run(state, *workload, [&](std::span<const Bytes> inputs, std::span<Digest> digests) {
      algorithm.hash_many(inputs, digests);
    });
  });
  const auto with = [=](std::size_t memory_bytes_max, bool again) {
    return [=](benchmark::State& state) {
      HashCache cache(algorithm, {.max_memory_bytes = memory_bytes_max});
      const auto ask = [&](std::span<const Bytes> inputs, std::span<Digest> digests) {
        cache.hash_many(inputs, digests);
      };
      if (again) {
        std::vector<Digest> digests(workload->contents.size());
        cache.hash_many(workload->contents, digests);
      }
      run(state, *workload, ask);
    };
  };
  add(title + "/HashCache, all hits", with(2 * kWorkloadBytes, true));
  add(title + "/HashCache, all misses", with(kWorkloadBytes / 4, false));
}

/// So many threads share out the same hits; enough of them that starting the threads is nothing beside it. No more than
/// `at_once` of them look up at the same time, taking turns as long as the scheduler's: with two of 64, threads are
/// switched as often, and all memory is touched in the same order, but none waits for a lock whose owner does not run.
void together(benchmark::State& state, const Workload& workload, unsigned thread_count,
              unsigned at_once) {
  HashCache cache(HashAlgorithm::sha256(), {.max_memory_bytes = 2 * kWorkloadBytes});
  for (const Bytes content : workload.contents) (void)cache.hash(content);
  constexpr std::size_t kHitsMin = 16'384;
  constexpr std::size_t kTurnBytes = 8 << 20;
  const std::size_t turn = kTurnBytes * workload.contents.size() / kWorkloadBytes;
  const std::size_t rounds = kHitsMin / workload.contents.size() + 4;
  const std::size_t total = rounds * workload.contents.size();
  for (auto _ : state) {
    std::counting_semaphore<> places(at_once);
    std::atomic<std::size_t> next{0};
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < thread_count; ++i) {
      threads.emplace_back([&] {
        while (next < total) {
          places.acquire();
          for (std::size_t count = 0; count < turn; ++count) {
            const std::size_t at = next++;
            if (at >= total) break;
            benchmark::DoNotOptimize(cache.hash(workload.contents[at % workload.contents.size()]));
          }
          places.release();
        }
      });
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(rounds * kWorkloadBytes));
}

/// Beside other programs only the CPU time of all threads compares; threads that waited for each other on a
/// machine of their own would show on the clock.
void compare_threads(const std::string& what, const Shared& workload) {
  for (const bool on_the_clock : {true, false}) {
    const auto add_one = [&](unsigned count, unsigned at_once, const std::string& how) {
      auto* const one = add("hits of " + what + (on_the_clock ? ", on the clock/" : ", CPU time/") +
                                std::to_string(count) + " threads" + how,
                            [=](auto& state) { together(state, *workload, count, at_once); });
      if (on_the_clock) {
        one->UseRealTime();
      } else {
        one->MeasureProcessCPUTime();
      }
    };
    add_one(2, 2, "");
    add_one(64, 64, "");
    add_one(64, 2, ", two at a time");
  }
}

void chunk_again(benchmark::State& state, const std::vector<std::filesystem::path>& paths,
                 const BatchOptions& batch) {
  std::uint64_t bytes = 0;
  const auto chunk_all = [&] {
    bytes = 0;
    auto stream = batch_chunk_files(paths, ChunkingOptions::store(), batch);
    while (auto result = stream->next()) bytes += result->chunks.value().bytes;
  };
  if (batch.hash_cache) chunk_all();
  for (auto _ : state) chunk_all();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void compare_files(const std::vector<std::filesystem::path>& paths) {
  for (const HashAlgorithm& hash : {HashAlgorithm::sha256(), HashAlgorithm::blake3()}) {
    for (const bool cached : {false, true}) {
      add(std::string(hash.name()) + ", files chunked again/" + (cached ? "HashCache" : "hashed"),
          [=](benchmark::State& state) {
            BatchOptions batch{.hash = hash, .threads = 1};
            if (cached) {
              batch.hash_cache = std::make_shared<HashCache>(
                  hash, HashCacheOptions{.max_memory_bytes = std::size_t{2} << 30});
            }
            chunk_again(state, paths, batch);
          })
          ->MeasureProcessCPUTime();
    }
  }
}

void add_all() {
  const auto chunks = std::make_shared<const Workload>(64 * kKiB, 448 * kKiB);
  const auto small = std::make_shared<const Workload>(kKiB, 7 * kKiB);
  for (const HashAlgorithm& algorithm : {HashAlgorithm::sha256(), HashAlgorithm::blake3()}) {
    compare("256 KiB chunks", algorithm, chunks);
    compare("4 KiB chunks", algorithm, small);
  }
  compare_threads("256 KiB", chunks);
  compare_threads("4 KiB", small);
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  const auto flags_end = std::partition(argv + 1, argv + argc,
                                        [](std::string_view one) { return one.starts_with("--"); });
  const std::vector<std::filesystem::path> paths(flags_end, argv + argc);
  chunker::bench::add_all();
  if (!paths.empty()) chunker::bench::compare_files(paths);
  return chunker::bench::print_ratios(static_cast<int>(flags_end - argv), argv);
}
