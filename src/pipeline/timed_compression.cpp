#include "pipeline/timed_compression.hpp"

#include <algorithm>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

// 16 KiB of a MiB: the slowest levels of zstd take 5 ms for that.
constexpr std::size_t kTrialShare = 64;

}  // namespace

Result<bool> TimedCompression::compress(const CompressionCodec& codec, Bytes raw,
                                        CompressionScratch& scratch, ByteBuffer& output) {
  nanoseconds last = now_();
  const nanoseconds end = last + (end_ - last) * 3 / 4;
  CHUNKER_TRY(const bool begins, looks_fast_enough(codec, raw, end, scratch, output));
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
                                                 nanoseconds end, CompressionScratch& scratch,
                                                 ByteBuffer& output) {
  const std::size_t trial_bytes = raw.size() / kTrialShare;
  const nanoseconds begin = now_();
  if (begin >= end) return false;
  const std::size_t start = output.size();
  CHUNKER_TRY_VOID(
      codec.compress(raw.subspan((raw.size() - trial_bytes) / 2, trial_bytes), scratch, output));
  output.resize(start);
  const nanoseconds now = now_();
  return now + (now - begin) * kTrialShare <= end;
}

}  // namespace chunker::pipeline
