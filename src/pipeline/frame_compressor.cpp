#include "pipeline/frame_compressor.hpp"

#include <ctime>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

// Files of known compressed formats are suspected a little earlier: their headers lower the entropy.
constexpr float kSuspiciousEntropy = 7.5F;

// Order-0 entropy does not see that content repeats itself; a compressor does, and its fastest level leaves what
// does not compress at 5 GB/s. Where it finds no 2 percent, others find no 5 (bench/RESULTS.md, "Strategies").
constexpr int kProbeLevel = -1;
constexpr double kProbeRatioMin = 0.98;

bool looks_compressed(const ContentProfile& profile) noexcept {
  return profile.entropy_estimate >= kIncompressibleEntropy ||
         (compresses_itself(profile.format) && profile.entropy_estimate >= kSuspiciousEntropy);
}

bool is_below(double share, std::size_t compressed_bytes, std::size_t raw_bytes) noexcept {
  return static_cast<double>(compressed_bytes) < share * static_cast<double>(raw_bytes);
}

}  // namespace

Result<std::shared_ptr<const CompressionPlan>> CompressionPlan::make(
    const CodecRegistry& registry, const CompressionOptions& options, Clock now) {
  if (!(options.min_ratio_threshold >= 0 && options.min_ratio_threshold <= 1)) {
    return base::fail(ErrorCode::invalid_argument, "min_ratio_threshold is from 0 to 1");
  }
  CHUNKER_TRY(auto chooser, CodecChooser::make(registry, options.strategy, now));
  return std::make_shared<const CompressionPlan>(
      std::move(chooser), options.min_ratio_threshold,
      std::chrono::milliseconds(options.max_compression_time_ms), std::move(now));
}

std::chrono::nanoseconds CompressionPlan::thread_time() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

bool FrameCompressor::worth_trying(Bytes raw) {
  return !is_compressed_already(raw, profile_content(raw));
}

bool FrameCompressor::is_compressed_already(Bytes raw, const ContentProfile& profile) {
  if (!looks_compressed(profile)) return false;
  const auto probe = builtin_codec(CodecId::zstd, kProbeLevel);
  tried_.clear();
  return probe && probe->compress(raw, scratch_, tried_) &&
         !is_below(kProbeRatioMin, tried_.size(), raw.size());
}

Result<CodecId> FrameCompressor::compress(Bytes raw, ByteBuffer& payload) {
  const std::size_t start = payload.size();
  const ContentProfile profile = profile_content(raw);
  CodecId codec = CodecId::none;
  if (!is_compressed_already(raw, profile)) {
    CHUNKER_TRY(codec, compress_as_planned(raw, profile, payload));
  }
  if (codec != CodecId::none &&
      is_below(plan_->min_ratio_threshold, payload.size() - start, raw.size())) {
    return codec;
  }
  payload.resize(start);
  payload.append(raw);
  return CodecId::none;
}

Result<CodecId> FrameCompressor::compress_as_planned(Bytes raw, const ContentProfile& profile,
                                                     ByteBuffer& payload) {
  if (plan_->time_max.count() != 0) return compress_in_time(raw, profile, payload);
  const CompressionCodec& chosen = plan_->chooser.choose(raw, profile, scratch_);
  CHUNKER_TRY_VOID(chosen.compress(raw, scratch_, payload));
  return chosen.id();
}

Result<CodecId> FrameCompressor::compress_in_time(Bytes raw, const ContentProfile& profile,
                                                  ByteBuffer& payload) {
  TimedCompression timed(plan_->time_max, plan_->now, paces_);
  const CompressionCodec& chosen = plan_->chooser.choose(raw, profile, scratch_);
  CHUNKER_TRY(const bool done, timed.compress(chosen, raw, scratch_, payload));
  if (done) return chosen.id();
  for (const CompressionCodec& faster : plan_->chooser.faster()) {
    CHUNKER_TRY(const bool in_time, timed.compress(faster, raw, scratch_, payload));
    if (in_time) return faster.id();
  }
  return CodecId::none;
}

}  // namespace chunker::pipeline
