// One stream cut by one thread, and by two that look for candidates: cmake -DCHUNKER_BUILD_BENCH=ON, then bench/bench_cut.
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "chunker/chunking.hpp"
#include "cut/candidates.hpp"
#include "pipeline/resolved_options.hpp"
#include "ratios.hpp"

namespace chunker::bench {
namespace {

constexpr std::size_t kPieceBytes = 4 << 20;
constexpr std::size_t kPieces = 32;

using Options = std::shared_ptr<const ResolvedOptions>;

Bytes input() {
  static const std::vector<std::uint64_t> words = [] {
    std::mt19937_64 engine(1);
    std::vector<std::uint64_t> made(kPieces * kPieceBytes / sizeof(std::uint64_t));
    for (std::uint64_t& word : made) word = engine();
    return made;
  }();
  return std::as_bytes(std::span(words));
}

Bytes piece(std::size_t index) { return input().subspan(index * kPieceBytes, kPieceBytes); }

void one_thread(benchmark::State& state, const Options& options) {
  std::vector<ChunkExtent> chunks;
  for (auto _ : state) {
    chunks.clear();
    NarAwareChunker chunker(options);
    for (std::size_t i = 0; i < kPieces; ++i) (void)chunker.feed(piece(i), chunks);
    (void)chunker.finish(chunks);
    benchmark::DoNotOptimize(chunks.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input().size()));
}

void find(const Options& options, std::vector<cut::Candidates>& found, std::size_t first,
          std::size_t step) {
  for (std::size_t i = first; i < kPieces; i += step) {
    options->parts().cutter.find_candidates(piece(i), found[i]);
  }
}

void select(const Options& options, std::vector<cut::Candidates>& found,
            std::vector<ChunkExtent>& chunks) {
  chunks.clear();
  NarAwareChunker chunker(options);
  for (std::size_t i = 0; i < kPieces; ++i) (void)chunker.feed(piece(i), chunks, found[i]);
  (void)chunker.finish(chunks);
}

void two_threads(benchmark::State& state, const Options& options) {
  std::vector<cut::Candidates> found(kPieces);
  std::vector<ChunkExtent> chunks;
  for (auto _ : state) {
    std::jthread helper([&] { find(options, found, 1, 2); });
    find(options, found, 0, 2);
    helper.join();
    select(options, found, chunks);
    benchmark::DoNotOptimize(chunks.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input().size()));
}

// By one thread, so that the work can be told from how well it is shared.
void candidates_alone(benchmark::State& state, const Options& options) {
  std::vector<cut::Candidates> found(kPieces);
  for (auto _ : state) {
    find(options, found, 0, 1);
    benchmark::DoNotOptimize(found.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input().size()));
}

void selection_alone(benchmark::State& state, const Options& options) {
  std::vector<cut::Candidates> found(kPieces);
  std::vector<ChunkExtent> chunks;
  find(options, found, 0, 1);
  for (auto _ : state) {
    select(options, found, chunks);
    benchmark::DoNotOptimize(chunks.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input().size()));
}

template <class Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond)->UseRealTime();
}

void compare(std::uint64_t min_kib, std::uint64_t avg_kib, std::uint64_t max_kib) {
  ChunkingOptions chunking;
  chunking.recipe.min_bytes = min_kib * 1024;
  chunking.recipe.avg_bytes = avg_kib * 1024;
  chunking.recipe.max_bytes = max_kib * 1024;
  const Options options = chunking.resolve().value();
  const std::string title = "FastCDC " + std::to_string(min_kib) + ":" + std::to_string(avg_kib) +
                            ":" + std::to_string(max_kib) + " KiB";
  add(title + "/one thread", [=](benchmark::State& s) { one_thread(s, options); });
  add(title + "/two threads", [=](benchmark::State& s) { two_threads(s, options); });
  add(title + "/candidates alone", [=](benchmark::State& s) { candidates_alone(s, options); });
  add(title + "/selection alone", [=](benchmark::State& s) { selection_alone(s, options); });
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  chunker::bench::compare(128, 512, 2048);
  chunker::bench::compare(64, 256, 1024);
  chunker::bench::compare(16, 64, 256);
  return chunker::bench::print_ratios(argc, argv);
}
