#include "cli/bench_way.hpp"

#include <chrono>

#include "base/try.hpp"

namespace chunker::cli {
namespace {

Result<double> seconds_of(const BenchWay& way) {
  if (way.prepare) CHUNKER_TRY_VOID(way.prepare());
  const auto begin = std::chrono::steady_clock::now();
  CHUNKER_TRY_VOID(way.run());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Result<std::vector<WaySpeeds>> measure_in_turns(std::span<const BenchWay> ways, std::uint64_t bytes,
                                                unsigned runs, const std::stop_token& stop) {
  std::vector<WaySpeeds> all;
  for (const BenchWay& way : ways) all.push_back({way.stage, way.name, bytes});
  for (unsigned run = 0; run <= runs; ++run) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      if (stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
      CHUNKER_TRY(const double seconds, seconds_of(ways[i]));
      const bool warms_up = run == 0;
      if (!warms_up) all[i].gb_per_second.push_back(static_cast<double>(bytes) / 1e9 / seconds);
    }
  }
  return all;
}

}  // namespace chunker::cli
