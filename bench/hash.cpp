// Batch hashing against one by one: cmake -DCHUNKER_BUILD_BENCH=ON, then bench/bench_hash.
#include <blake3.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "chunker/hash.hpp"
#include "ratios.hpp"

namespace chunker::bench {
namespace {

/// Random inputs in random order of size, side by side as chunks of one slab are.
struct Inputs {
  explicit Inputs(std::span<const std::size_t> sizes) {
    std::mt19937_64 engine(1);
    std::size_t total = 0;
    for (const std::size_t size : sizes) total += size;
    bytes.resize(total);
    for (std::byte& byte : bytes.span()) byte = static_cast<std::byte>(engine());
    std::size_t at = 0;
    for (const std::size_t size : sizes) {
      inputs.push_back(bytes.view().subspan(std::exchange(at, at + size), size));
    }
  }

  ByteBuffer bytes;
  std::vector<Bytes> inputs;
};

void count_bytes(benchmark::State& state, const Inputs& inputs) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(inputs.bytes.size()));
}

void one_by_one(benchmark::State& state, const Inputs& inputs, const HashAlgorithm& algorithm) {
  for (auto _ : state) {
    for (const Bytes input : inputs.inputs) benchmark::DoNotOptimize(algorithm.hash(input));
  }
  count_bytes(state, inputs);
}

void together(benchmark::State& state, const Inputs& inputs, const HashAlgorithm& algorithm) {
  std::vector<Digest> digests(inputs.inputs.size());
  for (auto _ : state) {
    algorithm.hash_many(inputs.inputs, digests);
    benchmark::DoNotOptimize(digests.data());
  }
  count_bytes(state, inputs);
}

void official_blake3(benchmark::State& state, const Inputs& inputs) {
  for (auto _ : state) {
    for (const Bytes input : inputs.inputs) {
      std::uint8_t digest[BLAKE3_OUT_LEN];
      blake3_hasher hasher;
      blake3_hasher_init(&hasher);
      blake3_hasher_update(&hasher, input.data(), input.size());
      blake3_hasher_finalize(&hasher, digest, sizeof digest);
      benchmark::DoNotOptimize(digest);
    }
  }
  count_bytes(state, inputs);
}

template <class Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
}

void compare(const std::string& what, const HashAlgorithm& algorithm,
             const std::vector<std::size_t>& sizes) {
  const auto inputs = std::make_shared<const Inputs>(sizes);
  const std::string title = std::string(algorithm.name()) + " " + what;
  add(title + "/one by one", [=](benchmark::State& s) { one_by_one(s, *inputs, algorithm); });
  add(title + "/together", [=](benchmark::State& s) { together(s, *inputs, algorithm); });
}

void compare_with_official(const std::string& what, std::size_t size) {
  const auto inputs = std::make_shared<const Inputs>(std::vector{size});
  add("blake3 " + what + "/official", [=](benchmark::State& s) { official_blake3(s, *inputs); });
  add("blake3 " + what + "/hash()",
      [=](benchmark::State& s) { one_by_one(s, *inputs, HashAlgorithm::blake3()); });
}

std::vector<std::size_t> between(std::size_t count, std::size_t min, std::size_t max) {
  std::mt19937_64 engine(2);
  std::vector<std::size_t> sizes(count);
  for (std::size_t& size : sizes) size = min + engine() % (max - min);
  return sizes;
}

void add_all() {
  constexpr std::size_t kKiB = 1024;
  const HashAlgorithm blake3 = HashAlgorithm::blake3(), sha256 = HashAlgorithm::sha256();
  for (const std::size_t kib : {1U, 2U, 4U, 8U, 16U, 32U}) {
    compare("16 x " + std::to_string(kib) + " KiB", blake3, std::vector(16, kib * kKiB));
  }
  compare("4 x 1 KiB", blake3, std::vector(4, kKiB));
  compare("2 x 4 KiB", blake3, std::vector(2, 4 * kKiB));
  compare("64 x 1-1024 B", blake3, between(64, 1, kKiB));
  compare("64 x 1-16 KiB", blake3, between(64, kKiB, 16 * kKiB));
  compare("31 x 128 KiB-2 MiB", blake3, between(31, 128 * kKiB, 2048 * kKiB));
  compare_with_official("512 KiB", 512 * kKiB);
  compare_with_official("1 KiB", kKiB);
  compare("16 x 4 KiB", sha256, std::vector(16, 4 * kKiB));
  compare("31 x 128 KiB-2 MiB", sha256, between(31, 128 * kKiB, 2048 * kKiB));
  compare("8 x 512 KiB", sha256, std::vector(8, 512 * kKiB));
  compare("3 x 512 KiB", sha256, std::vector(3, 512 * kKiB));
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  chunker::bench::add_all();
  return chunker::bench::print_ratios(argc, argv);
}
