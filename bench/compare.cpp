// Whether two chunks are equal: the C library's memcmp against loops of our own (R8.3): bench/bench_compare.
#include <immintrin.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "base/cpu.hpp"
#include "chunker/bytes.hpp"
#include "ratios.hpp"

namespace chunker::bench {
namespace {

using Equal = bool (*)(const std::byte* a, const std::byte* b, std::size_t size);

bool by_memcmp(const std::byte* a, const std::byte* b, std::size_t size) {
  return std::memcmp(a, b, size) == 0;
}

/// Four vectors at a time, one branch for them; sizes here are multiples of 256.
[[gnu::target("avx2")]] bool by_avx2(const std::byte* a, const std::byte* b, std::size_t size) {
  const auto difference = [&](std::size_t at) __attribute__((target("avx2"), always_inline)) {
    return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + at)),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + at)));
  };
  for (std::size_t at = 0; at < size; at += 128) {
    const __m256i any = _mm256_or_si256(_mm256_or_si256(difference(at), difference(at + 32)),
                                        _mm256_or_si256(difference(at + 64), difference(at + 96)));
    if (_mm256_testz_si256(any, any) == 0) return false;
  }
  return true;
}

[[gnu::target("avx512f,avx512bw")]] bool by_avx512(const std::byte* a, const std::byte* b,
                                                   std::size_t size) {
  const auto difference =
      [&](std::size_t at) __attribute__((target("avx512f,avx512bw"), always_inline)) {
        return _mm512_xor_si512(_mm512_loadu_si512(a + at), _mm512_loadu_si512(b + at));
      };
  for (std::size_t at = 0; at < size; at += 256) {
    const __m512i any =
        _mm512_or_si512(_mm512_or_si512(difference(at), difference(at + 64)),
                        _mm512_or_si512(difference(at + 128), difference(at + 192)));
    if (_mm512_test_epi64_mask(any, any) != 0) return false;
  }
  return true;
}

struct Pair {
  ByteBuffer a, b;
};

/// Equal chunks: different ones are told apart by their first bytes. One of them lies at an odd place.
std::shared_ptr<const Pair> pair_of(std::size_t size) {
  std::mt19937_64 engine(1);
  auto pair = std::make_shared<Pair>();
  pair->a.resize(size + 1);
  for (std::byte& byte : pair->a.span()) byte = static_cast<std::byte>(engine());
  pair->b.append(pair->a.view().subspan(1));
  return pair;
}

void add(const std::string& name, const std::shared_ptr<const Pair>& pair, Equal equal) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    for (auto _ : state) {
      if (!equal(pair->a.data() + 1, pair->b.data(), pair->b.size())) std::abort();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pair->b.size()));
  })->Unit(benchmark::kMicrosecond);
}

void add_all() {
  const base::CpuFeatures cpu = base::detect_cpu_features();
  for (const std::size_t kib : {4U, 16U, 64U, 256U, 512U, 2048U}) {
    const auto pair = pair_of(kib * 1024);
    const std::string what = "two chunks of " + std::to_string(kib) + " KiB";
    add(what + "/memcmp", pair, by_memcmp);
    if (cpu.avx2) add(what + "/AVX2", pair, by_avx2);
    if (cpu.avx512) add(what + "/AVX-512", pair, by_avx512);
  }
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  chunker::bench::add_all();
  return chunker::bench::print_ratios(argc, argv);
}
