#include "pipeline/cheapest_codec.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

using std::chrono::nanoseconds;

// About what the last bytes cost that level 6 of zstd saves (bench/RESULTS.md, "Strategies").
constexpr double kNsPerStoredByte = 400;
// The most that a codec tried later is believed to save against the best before.
constexpr double kSavedShareMax = 0.25;

constexpr double kDoubt = 1.05;

constexpr std::size_t kPieceBytes = 8 << 10, kPieceCount = 4;
constexpr std::size_t kPacedBytes = 32 << 10;

/// Pieces spread over the content; all of it if it is small.
void append_sample(Bytes content, ByteBuffer& sample) {
  if (content.size() <= kPieceBytes * kPieceCount) return sample.append(content);
  for (std::size_t i = 0; i < kPieceCount; ++i) {
    const std::size_t at = (content.size() - kPieceBytes) / (kPieceCount - 1) * i;
    sample.append(content.subspan(at, kPieceBytes));
  }
}

/// Numbers, and words of a vocabulary: neither quite easy nor hard. The same everywhere.
ByteBuffer paced_content() {
  ByteBuffer content;
  std::uint64_t state = 1;
  while (content.size() < kPacedBytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::string word = std::to_string((state >> 33) % 3000) + (state >> 63 ? " = " : "\n");
    content.append(bytes_of(word));
  }
  content.resize(kPacedBytes);
  return content;
}

/// What both ways take for a byte: the better of two goes, since the first one sets contexts up.
Result<double> pace_of(const CompressionCodec& codec, Bytes content, const Clock& now) {
  CompressionScratch scratch;
  ByteBuffer frame, back;
  nanoseconds best = nanoseconds::max();
  for (int go = 0; go < 2; ++go) {
    frame.clear();
    back.clear();
    const nanoseconds begin = now();
    CHUNKER_TRY_VOID(codec.compress(content, scratch, frame));
    CHUNKER_TRY_VOID(codec.decompress(frame, content.size(), scratch, back));
    best = std::min(best, now() - begin);
    if (!std::ranges::equal(Bytes(back), content)) {
      return base::fail(ErrorCode::codec_failed, "the codec does not give back what it was given");
    }
  }
  const double ns_per_byte = static_cast<double>(std::max<std::int64_t>(1, best.count())) /
                             static_cast<double>(content.size());
  return std::exp2(std::round(std::log2(ns_per_byte)));
}

}  // namespace

Result<CheapestCodec> CheapestCodec::make(const CodecRegistry& registry,
                                          std::initializer_list<CodecId> usual, const Clock& now) {
  CheapestCodec made;
  const ByteBuffer content = paced_content();
  for (const CompressionCodec& codec : registry.codecs()) {
    if (codec.id() == CodecId::none) continue;
    auto pace = pace_of(codec, content, now);
    if (!pace) return std::unexpected(std::move(pace).error().within(std::string(codec.name())));
    const auto slower =
        std::ranges::upper_bound(made.candidates_, *pace, {}, &Candidate::ns_per_byte);
    const bool is_usual = std::ranges::find(usual, codec.id()) != usual.end();
    made.candidates_.insert(slower, {codec, *pace, is_usual ? 1.0 : kDoubt});
  }
  return made;
}

const CompressionCodec* CheapestCodec::choose(Bytes content, CompressionScratch& scratch) const {
  ByteBuffer sample, frame;
  append_sample(content, sample);
  const auto sample_bytes = static_cast<double>(sample.size());
  const CompressionCodec* best = nullptr;
  double best_bytes = sample_bytes;
  double best_cost = kNsPerStoredByte * sample_bytes;
  for (const auto& [codec, ns_per_byte, doubt] : candidates_) {
    const double time_cost = ns_per_byte * sample_bytes;
    const double bytes_hoped_for = best == nullptr ? 0 : (1 - kSavedShareMax) * best_bytes;
    if (time_cost + kNsPerStoredByte * bytes_hoped_for >= best_cost) continue;
    frame.clear();
    if (!codec.compress(sample, scratch, frame)) continue;
    const auto bytes = static_cast<double>(frame.size());
    const double cost = doubt * (time_cost + kNsPerStoredByte * bytes);
    if (cost >= best_cost) continue;
    best = &codec;
    best_bytes = bytes;
    best_cost = cost;
  }
  return best;
}

}  // namespace chunker::pipeline
