#include "cli/bench_stages.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/cpu.hpp"
#include "base/try.hpp"
#include "chunker/codec.hpp"
#include "chunker/hash.hpp"
#include "cut/algorithms.hpp"
#include "pipeline/resolved_options.hpp"

namespace chunker::cli {
namespace {

constexpr std::size_t kFrameBytes = 1 << 20;  // About what ingest compresses together.
constexpr std::size_t kMegabyte = 1'000'000;

std::uint64_t count_cuts(cut::AnyCutter cutter, Bytes bytes) {
  std::uint64_t start = 0, count = 0;
  Bytes rest = bytes;
  while (const auto length = cutter.scan(rest)) {
    start += *length;
    ++count;
    cutter.restart(bytes.size() - rest.size() - start);
  }
  return count;
}

Result<std::vector<ChunkExtent>> chunks_of(Bytes nar,
                                           const std::shared_ptr<const ResolvedOptions>& options) {
  std::vector<ChunkExtent> chunks;
  NarAwareChunker chunker(options);
  CHUNKER_TRY_VOID(chunker.feed(nar, chunks));
  CHUNKER_TRY_VOID(chunker.finish(chunks));
  return chunks;
}

/// FastCDC whatever the recipe's algorithm is: the others have no kernels.
Result<void> add_kernels(const BenchContent& content, Recipe recipe, std::vector<BenchWay>& ways) {
  recipe.algorithm = ChunkingAlgorithm::fast_cdc;
  CHUNKER_TRY(const cut::Algorithm* const algorithm, cut::validated_algorithm(recipe));
  for (const cut::CutKernel& kernel : cut::kernels()) {
    if (!kernel.runs_on(base::detect_cpu_features())) continue;
    const cut::AnyCutter cutter = algorithm->make(recipe, kernel);
    ways.push_back({"cut", std::string(kernel.name), [&content, cutter]() -> Result<void> {
                      for (const ByteBuffer& nar : content.nars) {
                        [[maybe_unused]] const auto count = count_cuts(cutter, nar);
                      }
                      return {};
                    }});
  }
  return {};
}

using Inputs = std::shared_ptr<const std::vector<Bytes>>;

Result<Inputs> chunk_bytes(const BenchContent& content, const ChunkingOptions& options) {
  CHUNKER_TRY(const auto resolved, options.resolve());
  std::vector<Bytes> inputs;
  for (const ByteBuffer& nar : content.nars) {
    CHUNKER_TRY(const auto chunks, chunks_of(nar, resolved));
    for (const ChunkExtent& chunk : chunks) {
      inputs.push_back(nar.view().subspan(static_cast<std::size_t>(chunk.offset_bytes),
                                          static_cast<std::size_t>(chunk.size_bytes)));
    }
  }
  return std::make_shared<const std::vector<Bytes>>(std::move(inputs));
}

void add_hash(const HashAlgorithm& hash, const Inputs& inputs, std::vector<BenchWay>& ways) {
  const auto digests = std::make_shared<std::vector<Digest>>(inputs->size());
  ways.push_back({"hash", std::string(hash.name()) + ", one by one", [=]() -> Result<void> {
                    for (std::size_t i = 0; i < inputs->size(); ++i) {
                      (*digests)[i] = hash.hash((*inputs)[i]);
                    }
                    return {};
                  }});
  ways.push_back({"hash", std::string(hash.name()) + ", together", [=]() -> Result<void> {
                    hash.hash_many(*inputs, *digests);
                    return {};
                  }});
}

/// One codec on all frames.
class Coding {
 public:
  Coding(CompressionCodec codec, const BenchContent& content, std::stop_token stop)
      : codec_(std::move(codec)), stop_(std::move(stop)) {
    for (const ByteBuffer& nar : content.nars) {
      for (std::size_t at = 0; at < nar.size(); at += kFrameBytes) {
        raw_.push_back(nar.view().subspan(at, std::min(kFrameBytes, nar.size() - at)));
      }
    }
    frames_.resize(raw_.size());
  }

  Result<void> compress() {
    return for_each_frame([this](std::size_t i) {
      frames_[i].clear();
      return codec_.compress(raw_[i], scratch_, frames_[i]);
    });
  }

  Result<void> decompress() {
    return for_each_frame([this](std::size_t i) {
      back_.clear();
      return codec_.decompress(frames_[i], raw_[i].size(), scratch_, back_);
    });
  }

 private:
  template <class Work>
  Result<void> for_each_frame(Work work) {
    for (std::size_t i = 0; i < raw_.size(); ++i) {
      if (stop_.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
      CHUNKER_TRY_VOID(work(i));
    }
    return {};
  }

  CompressionCodec codec_;
  std::stop_token stop_;
  std::vector<Bytes> raw_;
  std::vector<ByteBuffer> frames_;
  CompressionScratch scratch_;
  ByteBuffer back_;
};

}  // namespace

Result<std::vector<BenchWay>> cutting_ways(const BenchContent& content,
                                           const ChunkingOptions& options) {
  std::vector<BenchWay> ways;
  CHUNKER_TRY_VOID(add_kernels(content, options.recipe, ways));
  for (const auto& [mode, name] :
       {std::pair(NarMode::off, "NARs, blind"), std::pair(NarMode::aligned, "NARs, aligned")}) {
    ChunkingOptions with_mode = options;
    with_mode.recipe.nar_mode = mode;
    CHUNKER_TRY(const auto resolved, with_mode.resolve());
    ways.push_back({"cut", name, [&content, resolved]() -> Result<void> {
                      for (const ByteBuffer& nar : content.nars) {
                        CHUNKER_TRY([[maybe_unused]] const auto chunks, chunks_of(nar, resolved));
                      }
                      return {};
                    }});
  }
  return ways;
}

Result<std::vector<BenchWay>> hashing_ways(const BenchContent& content,
                                           const ChunkingOptions& options) {
  std::vector<BenchWay> ways;
  CHUNKER_TRY(const Inputs inputs, chunk_bytes(content, options));
  add_hash(HashAlgorithm::blake3(), inputs, ways);
  add_hash(HashAlgorithm::sha256(), inputs, ways);
  ways.push_back({"hash", "sha256, whole NARs", [&content]() -> Result<void> {
                    Sha256Stream stream;
                    for (const ByteBuffer& nar : content.nars) {
                      stream.update(nar);
                      [[maybe_unused]] const Digest digest = stream.finish();
                    }
                    return {};
                  }});
  return ways;
}

Result<std::vector<BenchWay>> coding_ways(const BenchContent& content,
                                          const std::stop_token& stop) {
  std::vector<BenchWay> ways;
  for (const CodecId id : {CodecId::zstd, CodecId::zstd_x86, CodecId::lz4}) {
    const auto codec = CodecRegistry::builtin()->by_id(id);
    if (!codec) continue;  // Not in this build.
    const auto coding = std::make_shared<Coding>(*codec, content, stop);
    const std::string name(codec->name());
    ways.push_back({"compress", name, [coding] { return coding->compress(); }});
    ways.push_back({"decompress", name, [coding] { return coding->decompress(); }});
  }
  return ways;
}

Result<std::vector<double>> megabyte_latencies(const BenchContent& content, unsigned runs,
                                               const std::stop_token& stop) {
  CHUNKER_TRY(const auto resolved, ChunkingOptions::store().resolve());
  CHUNKER_TRY(const auto codec, CodecRegistry::builtin()->by_id(CodecId::zstd));
  const HashAlgorithm blake3 = HashAlgorithm::blake3();
  CompressionScratch scratch;
  ByteBuffer frame;
  std::vector<double> all_us;
  for (unsigned run = 0; run < runs; ++run) {
    for (const ByteBuffer& nar : content.nars) {
      for (std::size_t at = 0; nar.size() - at >= kMegabyte; at += kMegabyte) {
        if (stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
        const Bytes piece = nar.view().subspan(at, kMegabyte);
        const auto begin = std::chrono::steady_clock::now();
        [[maybe_unused]] const auto cuts = count_cuts(resolved->parts().cutter, piece);
        [[maybe_unused]] const Digest digest = blake3.hash(piece);
        frame.clear();
        CHUNKER_TRY_VOID(codec.compress(piece, scratch, frame));
        const auto took = std::chrono::steady_clock::now() - begin;
        all_us.push_back(std::chrono::duration<double, std::micro>(took).count());
      }
    }
  }
  return all_us;
}

}  // namespace chunker::cli
