// The zstd preset of ingest against zstd's own level 3, and against other parameters, on the chunks of real files:
//   bench_codec [--sizes MIN:AVG:MAX] [--take N] [--rounds N] [--zstd SPEC]... FILE...
// Sizes are KiB; every N-th chunk is taken. A SPEC is `3,hash=16,chain=15`: a level, then window, hash, chain,
// search, match, target or strategy as zstd numbers them. All take turns in every round; contexts are reused.
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "chunker/chunking.hpp"
#include "chunker/codec.hpp"

namespace chunker::bench {
namespace {

struct Arguments {
  std::uint64_t min_kib = 128, avg_kib = 512, max_kib = 2048;
  std::size_t take = 1;
  unsigned rounds = 5;
  std::vector<std::string> specs;
  std::vector<std::string> files;
};

struct Content {
  std::vector<ByteBuffer> chunks;
  std::uint64_t bytes = 0;
};

/// What compresses one chunk and says how many bytes came out; it is used by one thread.
using Compress = std::function<std::size_t(Bytes)>;

struct Way {
  std::string name;
  std::function<Compress()> make;  ///< For one thread.
  unsigned threads = 1;
  std::uint64_t stored_bytes = 0;
  std::vector<double> seconds{};
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_codec: %s\n", why.c_str());
  std::exit(2);
}

Arguments parse(int argc, char** argv) {
  Arguments all;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      all.files.push_back(word);
      continue;
    }
    if (++i == argc) give_up(word + " needs a value");
    const std::string value = argv[i];
    if (word == "--sizes") {
      char colon{};
      std::istringstream(value) >> all.min_kib >> colon >> all.avg_kib >> colon >> all.max_kib;
    } else if (word == "--take") {
      all.take = std::max(1UL, std::stoul(value));
    } else if (word == "--rounds") {
      all.rounds = std::max(1U, static_cast<unsigned>(std::stoul(value)));
    } else if (word == "--zstd") {
      all.specs.push_back(value);
    } else {
      give_up("no such option: " + word);
    }
  }
  if (all.files.empty()) give_up("no files; see the head of bench/codec.cpp");
  return all;
}

ByteBuffer read(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) give_up("cannot read " + path);
  ByteBuffer bytes(static_cast<std::size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

Content chunks_of(const Arguments& arguments) {
  ChunkingOptions options;
  options.recipe.min_bytes = arguments.min_kib * 1024;
  options.recipe.avg_bytes = arguments.avg_kib * 1024;
  options.recipe.max_bytes = arguments.max_kib * 1024;
  const auto resolved = options.resolve();
  if (!resolved) give_up("these sizes make no recipe");
  Content content;
  std::size_t seen = 0;
  for (const std::string& path : arguments.files) {
    const ByteBuffer file = read(path);
    std::vector<ChunkExtent> extents;
    NarAwareChunker chunker(*resolved);
    if (!chunker.feed(file, extents) || !chunker.finish(extents)) give_up("not a NAR: " + path);
    for (const ChunkExtent& extent : extents) {
      if (seen++ % arguments.take != 0) continue;
      content.chunks.emplace_back();
      content.chunks.back().append(file.view().subspan(extent.offset_bytes, extent.size_bytes));
      content.bytes += extent.size_bytes;
    }
  }
  return content;
}

Compress compress_by(const CompressionCodec& codec) {
  auto scratch = std::make_shared<CompressionScratch>();
  auto frame = std::make_shared<ByteBuffer>();
  return [=](Bytes chunk) {
    frame->clear();
    if (!codec.compress(chunk, *scratch, *frame)) std::abort();
    return frame->size();
  };
}

Compress compress_by_zstd(const std::string& spec) {
  const std::map<std::string, ZSTD_cParameter> names{
      {"window", ZSTD_c_windowLog}, {"hash", ZSTD_c_hashLog},   {"chain", ZSTD_c_chainLog},
      {"search", ZSTD_c_searchLog}, {"match", ZSTD_c_minMatch}, {"target", ZSTD_c_targetLength},
      {"strategy", ZSTD_c_strategy}};
  const std::shared_ptr<ZSTD_CCtx> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  std::istringstream words(spec);
  std::string word;
  std::getline(words, word, ',');
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::stoi(word));
  while (std::getline(words, word, ',')) {
    const std::size_t equals = word.find('=');
    const auto known = names.find(word.substr(0, equals));
    if (equals == std::string::npos || known == names.end()) give_up("not a parameter: " + word);
    const auto status =
        ZSTD_CCtx_setParameter(context.get(), known->second, std::stoi(word.substr(equals + 1)));
    if (ZSTD_isError(status)) give_up("zstd refuses " + word);
  }
  auto frame = std::make_shared<ByteBuffer>();
  return [=](Bytes chunk) {
    frame->resize(ZSTD_compressBound(chunk.size()));
    const std::size_t size =
        ZSTD_compress2(context.get(), frame->data(), frame->size(), chunk.data(), chunk.size());
    if (ZSTD_isError(size)) std::abort();
    return size;
  };
}

std::vector<Way> ways(const Arguments& arguments) {
  const auto zstd = CodecRegistry::builtin()->by_id(CodecId::zstd).value();
  const auto ours = [=] { return compress_by(zstd); };
  std::vector<Way> all{{"stock level 3", [] { return compress_by_zstd("3"); }}, {"ours", ours}};
  for (const std::string& spec : arguments.specs) {
    all.push_back({spec, [=] { return compress_by_zstd(spec); }});
  }
  all.push_back({"ours, two threads", ours, 2});
  return all;
}

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Each round from a context that has seen a chunk: none pays for setting one up.
void run(Way& way, const Content& content) {
  std::vector<std::jthread> threads;
  std::vector<std::uint64_t> stored(way.threads);
  std::vector<Compress> compress;
  for (unsigned t = 0; t < way.threads; ++t) compress.push_back(way.make());
  for (const Compress& one : compress) one(content.chunks.front());
  const auto work = [&](unsigned t) {
    for (std::size_t i = t; i < content.chunks.size(); i += way.threads) {
      stored[t] += compress[t](content.chunks[i]);
    }
  };
  const clockid_t clock = way.threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const double begin = now(clock);
  for (unsigned t = 1; t < way.threads; ++t) threads.emplace_back(work, t);
  work(0);
  threads.clear();
  way.seconds.push_back(now(clock) - begin);
  way.stored_bytes = 0;
  for (const std::uint64_t bytes : stored) way.stored_bytes += bytes;
}

void print(std::vector<Way>& all, const Content& content) {
  std::printf("%zu chunks, %.1f MB\n\n", content.chunks.size(),
              static_cast<double>(content.bytes) / 1e6);
  std::puts("| way | MB/s, best | median | times as fast | stored bytes | more |");
  std::puts("|---|---|---|---|---|---|");
  const auto mb = static_cast<double>(content.bytes) / 1e6;
  double first_best = 0;
  for (Way& way : all) {
    std::ranges::sort(way.seconds);
    const double best = way.seconds.front();
    if (first_best == 0) first_best = best;
    const auto stored = static_cast<double>(way.stored_bytes);
    std::printf("| %s | %.0f | %.0f | %.3f | %.0f | %+.2f %% |\n", way.name.c_str(), mb / best,
                mb / way.seconds[way.seconds.size() / 2], first_best / best, stored,
                100 * (stored / static_cast<double>(all.front().stored_bytes) - 1));
  }
}

}  // namespace
}  // namespace chunker::bench

int main(int argc, char** argv) {
  using namespace chunker::bench;
  const Arguments arguments = parse(argc, argv);
  const Content content = chunks_of(arguments);
  if (content.chunks.empty()) give_up("nothing to compress");
  auto all = ways(arguments);
  for (unsigned round = 0; round < arguments.rounds; ++round) {
    for (Way& way : all) run(way, content);
  }
  print(all, content);
}
