#include "pipeline/timed_compression.hpp"

#include <algorithm>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

// 16 KiB of a MiB: the slowest levels of zstd take 5 ms for that.
constexpr std::size_t kPieceShare = 256, kPieceCount = 4;
constexpr double kTooSlowByFar = 4;
// Content differs, and a trial may have been unlucky: after some frames there is another.
constexpr double kForgiven = 0.7;

void append_pieces(Bytes raw, ByteBuffer& pieces) {
  const std::size_t piece_bytes = raw.size() / kPieceShare;
  for (std::size_t i = 0; i < kPieceCount; ++i) {
    pieces.append(raw.subspan((raw.size() - piece_bytes) / (kPieceCount - 1) * i, piece_bytes));
  }
}

double count_of(std::chrono::nanoseconds time) noexcept {
  return static_cast<double>(time.count());
}

}  // namespace

Result<bool> TimedCompression::compress(const CompressionCodec& codec, Bytes raw,
                                        CompressionScratch& scratch, ByteBuffer& output) {
  nanoseconds last = now_();
  const nanoseconds end = last + (end_ - last) * 3 / 4;
  CHUNKER_TRY(const bool begins, looks_fast_enough(codec, raw, end, scratch));
  if (!begins) return false;
  last = now_();
  nanoseconds longest{0};
  return codec.compress_until(raw, scratch, output, [&] {
    const nanoseconds now = now_();
    longest = std::max(longest, now - last);
    last = now;
    return now + longest > end;
  });
}

Result<bool> TimedCompression::looks_fast_enough(const CompressionCodec& codec, Bytes raw,
                                                 nanoseconds end, CompressionScratch& scratch) {
  const nanoseconds begin = now_();
  const auto raw_bytes = static_cast<double>(raw.size());
  const auto pace = paces_.find(&codec);
  if (begin >= end) return false;
  if (pace != paces_.end() && pace->second * raw_bytes > kTooSlowByFar * count_of(end - begin)) {
    pace->second *= kForgiven;
    return false;
  }
  ByteBuffer pieces, output;
  append_pieces(raw, pieces);
  if (pieces.empty()) return true;
  CHUNKER_TRY_VOID(codec.compress(pieces, scratch, output));
  const nanoseconds now = now_();
  const double ns_per_byte = count_of(now - begin) / static_cast<double>(pieces.size());
  paces_[&codec] = ns_per_byte;
  return ns_per_byte * raw_bytes <= count_of(end - now);
}

}  // namespace chunker::pipeline
