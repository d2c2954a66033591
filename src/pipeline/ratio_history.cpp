#include "pipeline/ratio_history.hpp"

#include <bit>
#include <cmath>

namespace chunker::pipeline {
namespace {

/// How much the newest ratio counts: the last dozen or so decide.
constexpr double kWeight = 1.0 / 8;
/// Nearly all ratios lie within so many deviations above the mean. A buffer that is too small costs compressing
/// again, one that is too large some memory.
constexpr double kDeviations = 4;
/// Frames have headers, whatever they hold.
constexpr std::size_t kHeaderBytes = 64;

std::string key_of(const AlgorithmInfo& algorithm, DictionaryId dictionary) {
  std::string key = algorithm.key();
  if (dictionary != DictionaryId::none) {
    key.append("+").append(std::to_string(std::to_underlying(dictionary)));
  }
  return key;
}

}  // namespace

std::size_t RatioHistory::expected_bytes(const AlgorithmInfo& algorithm, DictionaryId dictionary,
                                         std::size_t raw_bytes) const {
  const base::Lock lock(mutex_);
  const auto found = ratios_.find({key_of(algorithm, dictionary), std::bit_width(raw_bytes)});
  if (found == ratios_.end()) return 0;
  const Ratio& ratio = found->second;
  const double expected = ratio.mean + kDeviations * ratio.deviation;
  return static_cast<std::size_t>(expected * static_cast<double>(raw_bytes)) + kHeaderBytes;
}

void RatioHistory::add(const AlgorithmInfo& algorithm, DictionaryId dictionary,
                       std::size_t raw_bytes, std::size_t payload_bytes, bool regrown) {
  const base::Lock lock(mutex_);
  CodecStats& stats = stats_.try_emplace(algorithm.name, CodecStats{algorithm}).first->second;
  ++stats.chunks;
  stats.raw_bytes += raw_bytes;
  stats.payload_bytes += payload_bytes;
  if (regrown) ++stats.outputs_regrown;
  if (raw_bytes == 0) return;
  const double newest = static_cast<double>(payload_bytes) / static_cast<double>(raw_bytes);
  // The first one stands for all until there are more, so its deviation is a guess.
  const auto [at, is_first] =
      ratios_.try_emplace({key_of(algorithm, dictionary), std::bit_width(raw_bytes)},
                          Ratio{.mean = newest, .deviation = newest / 8});
  if (is_first) return;
  Ratio& ratio = at->second;
  ratio.deviation += kWeight * (std::abs(newest - ratio.mean) - ratio.deviation);
  ratio.mean += kWeight * (newest - ratio.mean);
}

std::vector<CodecStats> RatioHistory::stats() const {
  const base::Lock lock(mutex_);
  std::vector<CodecStats> all;
  for (const auto& [name, stats] : stats_) all.push_back(stats);
  return all;
}

}  // namespace chunker::pipeline
