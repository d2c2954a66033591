#include "cli/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/text.hpp"

namespace chunker::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kUpdateInterval = 100ms;
constexpr double kRateMemorySeconds = 5;  // what is older hardly counts
constexpr std::size_t kBarCells = 24;

std::string bar(double done) {
  const auto full = static_cast<std::size_t>(done * static_cast<double>(kBarCells));
  return fmt::format("[{}{}] {:3.0f} %", std::string(full, '#'), std::string(kBarCells - full, '.'),
                     std::floor(done * 100));
}

}  // namespace

std::string ProgressLine::update(const Progress& progress, Clock::time_point now,
                                 std::size_t columns) {
  if (now - last_ < kUpdateInterval) return {};
  measure(progress, now);
  std::string line;
  std::string left;
  if (progress.bytes_total != 0) {
    const auto total = static_cast<double>(progress.bytes_total);
    const double done = std::clamp(static_cast<double>(progress.bytes_processed) / total, 0.0, 1.0);
    line = bar(done) + "  ";
    if (bytes_per_second_ > 0) left = duration(total * (1 - done) / bytes_per_second_) + " left";
  }
  line += human_bytes(progress.bytes_processed);
  if (progress.bytes_total != 0) line += " of " + human_bytes(progress.bytes_total);
  line += fmt::format("  {}/s", human_bytes(static_cast<std::uint64_t>(bytes_per_second_)));
  if (!left.empty()) line += "  " + left;
  if (progress.files_total > 1) {
    line += fmt::format("  {}/{}", progress.files_completed, progress.files_total);
  }
  if (line.size() > columns) line.resize(columns);
  return line;
}

void ProgressLine::measure(const Progress& progress, Clock::time_point now) {
  const std::uint64_t bytes = std::max(progress.bytes_processed, last_bytes_);
  if (last_ == Clock::time_point{}) {
    if (progress.elapsed_seconds > 0) {
      bytes_per_second_ = static_cast<double>(bytes) / progress.elapsed_seconds;
    }
  } else {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    const double rate = static_cast<double>(bytes - last_bytes_) / seconds;
    const double weight = 1 - std::exp(-seconds / kRateMemorySeconds);
    bytes_per_second_ += weight * (rate - bytes_per_second_);
  }
  last_ = now;
  last_bytes_ = bytes;
}

}  // namespace chunker::cli
