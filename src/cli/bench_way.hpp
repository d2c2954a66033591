#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/error.hpp"

namespace chunker::cli {

/// One way to do the work of a stage, on all of the content, once.
struct BenchWay {
  std::string stage;
  std::string name;
  std::function<Result<void>()> run;
  std::function<Result<void>()> prepare{};  ///< Before each run, and not part of it; may be empty.
};

/// How fast one way was, once for each run.
struct WaySpeeds {
  std::string stage;
  std::string name;
  std::uint64_t bytes = 0;  ///< Of content, in one run.
  std::vector<double> gb_per_second{};
};

/// Runs all ways `runs` times, in turns, so that what else the machine does hits them alike. Before that each
/// runs once without being measured: contexts are set up and memory is touched then.
/// Errors: those of the ways; cancelled, between runs.
[[nodiscard]] Result<std::vector<WaySpeeds>> measure_in_turns(std::span<const BenchWay> ways,
                                                              std::uint64_t bytes, unsigned runs,
                                                              const std::stop_token& stop);

}  // namespace chunker::cli
