// Decoding into fresh buffers against pooled ones, on real content:
// bench_decode FILE..., which takes 512 KiB chunks from all over the files.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chunker/codec.hpp"
#include "chunker/scratch_pool.hpp"
#include "ratios.hpp"

namespace chunker::bench {
namespace {

constexpr std::size_t kChunkBytes = 512 << 10;
/// That many are out at once, as in a restore or in a batch.
constexpr std::size_t kChunkCount = 64;

struct Frames {
  std::vector<ByteBuffer> frames;
  CompressionCodec codec;
};

std::vector<ByteBuffer> chunks_of(const std::vector<std::string>& paths) {
  std::vector<ByteBuffer> chunks;
  for (std::size_t i = 0; i < kChunkCount; ++i) {
    std::ifstream file(paths[i * paths.size() / kChunkCount], std::ios::binary | std::ios::ate);
    const auto size = static_cast<std::size_t>(file.tellg());
    ByteBuffer chunk(kChunkBytes);
    if (size < kChunkBytes) continue;
    file.seekg(static_cast<std::streamoff>((size - kChunkBytes) / kChunkCount * i));
    file.read(reinterpret_cast<char*>(chunk.data()), kChunkBytes);
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

Frames compressed(const std::vector<ByteBuffer>& chunks, CompressionCodec codec) {
  CompressionScratch scratch;
  Frames all{{}, std::move(codec)};
  for (const ByteBuffer& chunk : chunks) {
    ByteBuffer frame;
    if (!all.codec.compress(chunk, scratch, frame)) std::abort();
    all.frames.push_back(std::move(frame));
  }
  return all;
}

template <class Take, class Give>
void decode_all(benchmark::State& state, const Frames& all, Take take, Give give) {
  CompressionScratch scratch;
  std::vector<ByteBuffer> outputs(all.frames.size());
  for (auto _ : state) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = take();
      if (!all.codec.decompress(all.frames[i], kChunkBytes, scratch, outputs[i])) std::abort();
    }
    for (ByteBuffer& output : outputs) give(std::move(output));
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(outputs.size() * kChunkBytes));
}

void compare(const std::vector<ByteBuffer>& chunks, const CompressionCodec& codec) {
  const auto all = std::make_shared<const Frames>(compressed(chunks, codec));
  const auto pool = std::make_shared<ScratchPool>(kChunkCount * kChunkBytes);
  const std::string what = std::string(codec.name()) + ", decoding 512 KiB chunks";
  benchmark::RegisterBenchmark((what + "/fresh buffers").c_str(), [=](benchmark::State& state) {
    decode_all(state, *all, [] { return ByteBuffer(); }, [](ByteBuffer used) { used = {}; });
  })->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark((what + "/ScratchPool").c_str(), [=](benchmark::State& state) {
    decode_all(
        state, *all, [&] { return pool->take(kChunkBytes); },
        [&](ByteBuffer used) { pool->give(std::move(used)); });
  })->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  using namespace chunker;
  const std::vector<std::string> paths(argv + 1, argv + argc);
  if (paths.empty()) return std::fputs("usage: bench_decode FILE...\n", stderr), 2;
  const auto chunks = bench::chunks_of(paths);
  for (const CodecId id : {CodecId::lz4, CodecId::zstd, CodecId::none}) {
    if (const auto codec = CodecRegistry::builtin()->by_id(id)) bench::compare(chunks, *codec);
  }
  return bench::print_ratios(1, argv);
}
