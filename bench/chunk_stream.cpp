// How long next() keeps its caller: cmake -DCHUNKER_BUILD_BENCH=ON, then bench/bench_chunk_stream.
#include "chunker/chunk_stream.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <vector>

#include "resource/thread_cpu.hpp"

namespace chunker::bench {
namespace {

constexpr std::size_t kInputBytes = std::size_t{64} << 20;

const ByteBuffer& input() {
  static const ByteBuffer bytes = [] {
    ByteBuffer filled(kInputBytes);
    std::mt19937_64 engine(1);
    for (std::size_t at = 0; at < filled.size(); at += 8) {
      const std::uint64_t word = engine();
      std::memcpy(filled.data() + at, &word, 8);
    }
    return filled;
  }();
  return bytes;
}

ByteSource source_of(Bytes bytes) {
  return [bytes](MutableBytes out) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(out.size(), bytes.size());
    std::memcpy(out.data(), bytes.data(), count);
    bytes = bytes.subspan(count);
    return count;
  };
}

/// Arguments: the largest chunk in KiB, and whether steps are to end in time.
void stream(benchmark::State& state, const HashAlgorithm& hash) {
  ChunkingOptions chunking;
  chunking.recipe.max_bytes = static_cast<std::uint64_t>(state.range(0)) << 10;
  chunking.recipe.avg_bytes = chunking.recipe.max_bytes / 4;
  chunking.recipe.min_bytes = chunking.recipe.max_bytes / 16;
  std::vector<double> times_us;
  for (auto _ : state) {
    auto chunks = ChunkStream::over(source_of(input()), chunking,
                                    {.hash = hash, .cooperative = state.range(1) != 0});
    for (bool more = true; more;) {
      const auto begin = resource::thread_cpu_time();
      const auto step = chunks->next();
      const std::chrono::duration<double, std::micro> time = resource::thread_cpu_time() - begin;
      times_us.push_back(time.count());
      more = step && step->kind != StreamStep::Kind::ended;
    }
  }
  std::ranges::sort(times_us);
  state.counters["p50_us"] = times_us[times_us.size() / 2];
  state.counters["p99_us"] = times_us[times_us.size() * 99 / 100];
  state.counters["max_us"] = times_us.back();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kInputBytes));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"KiB", "cooperative"})->ArgsProduct({{1024, 2048, 8192}, {0, 1}});
}

BENCHMARK_CAPTURE(stream, sha256, HashAlgorithm::sha256())->Apply(sizes);
BENCHMARK_CAPTURE(stream, blake3, HashAlgorithm::blake3())->Apply(sizes);

}  // namespace
}  // namespace chunker::bench

BENCHMARK_MAIN();
