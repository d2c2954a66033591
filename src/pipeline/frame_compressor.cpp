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

// Not a number is no share either.
Result<void> check_threshold(const CompressionOptions& options) {
  if (options.min_ratio_threshold >= 0 && options.min_ratio_threshold <= 1) return {};
  return base::fail(ErrorCode::invalid_argument, "min_ratio_threshold is from 0 to 1");
}

}  // namespace

Result<void> CompressionPlan::check(const CodecRegistry& registry,
                                    const CompressionOptions& options) {
  CHUNKER_TRY_VOID(check_threshold(options));
  CHUNKER_TRY([[maybe_unused]] const auto codec, registry.for_strategy(options.strategy));
  return {};
}

Result<std::shared_ptr<const CompressionPlan>> CompressionPlan::make(
    const CodecRegistry& registry, const CompressionOptions& options, Clock now) {
  CHUNKER_TRY_VOID(check(registry, options));
  CHUNKER_TRY(auto chooser, CodecChooser::make(registry, options.strategy, now));
  return std::make_shared<const CompressionPlan>(
      std::move(chooser), options.min_ratio_threshold,
      std::chrono::milliseconds(options.max_compression_time_ms), std::move(now), false);
}

Result<std::shared_ptr<const CompressionPlan>> CompressionPlan::make_for(
    CompressionCodec codec, const CompressionOptions& options, Clock now) {
  CHUNKER_TRY_VOID(check_threshold(options));
  return std::make_shared<const CompressionPlan>(
      CodecChooser::always(std::move(codec)), options.min_ratio_threshold,
      std::chrono::milliseconds(options.max_compression_time_ms), std::move(now), true);
}

bool CompressionPlan::gains_too_little(std::size_t compressed_bytes, Bytes raw) const noexcept {
  return !is_below(min_ratio_threshold, compressed_bytes, raw.size());
}

std::chrono::nanoseconds CompressionPlan::thread_time() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void FrameCompressor::follow(const std::shared_ptr<const CompressionPlan>& plan) {
  if (plan_ == plan) return;
  paces_.clear();
  plan_ = plan;
}

bool FrameCompressor::is_compressed_already(Bytes raw, const ContentProfile& profile) {
  if (!looks_compressed(profile)) return false;
  const auto probe = builtin_codec(CodecId::zstd, kProbeLevel);
  tried_.clear();
  return probe && probe->compress(raw, scratch_, tried_) &&
         !is_below(kProbeRatioMin, tried_.size(), raw.size());
}

const CompressionCodec* FrameCompressor::choose(Bytes raw) {
  if (plan_->time_max.count() != 0) end_ = plan_->now() + plan_->time_max;
  const ContentProfile profile = profile_content(raw);
  if (!plan_->takes_all && is_compressed_already(raw, profile)) return nullptr;
  return &plan_->chooser.choose(raw, profile, scratch_);
}

Result<const CompressionCodec*> FrameCompressor::compress_by(const CompressionCodec& chosen,
                                                             Bytes raw, ByteBuffer& payload) {
  if (plan_->time_max.count() == 0) {
    CHUNKER_TRY_VOID(chosen.compress(raw, scratch_, payload));
    return &chosen;
  }
  TimedCompression timed(end_, plan_->now, paces_);
  CHUNKER_TRY(const bool done, timed.compress(chosen, raw, scratch_, payload));
  if (done) return &chosen;
  for (const CompressionCodec& faster : plan_->chooser.faster()) {
    CHUNKER_TRY(const bool in_time, timed.compress(faster, raw, scratch_, payload));
    if (in_time) return &faster;
  }
  return nullptr;
}

Result<CodecId> FrameCompressor::compress(Bytes raw, ByteBuffer& payload) {
  const std::size_t start = payload.size();
  const CompressionCodec* codec = choose(raw);
  if (codec != nullptr) {
    CHUNKER_TRY(codec, compress_by(*codec, raw, payload));
  }
  if (codec != nullptr && !plan_->gains_too_little(payload.size() - start, raw)) return codec->id();
  payload.resize(start);
  payload.append(raw);
  return CodecId::none;
}

}  // namespace chunker::pipeline
