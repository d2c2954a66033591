#include "ratios.hpp"

#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace chunker::bench {
namespace {

class RatioTable : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::puts("| what | way | us | GB/s | times as fast |\n|---|---|---|---|---|");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.aggregate_name == "median") medians_.emplace(run.family_index, run);
    }
  }

  // What was interleaved comes in any order.
  void Finalize() override {
    std::map<std::string, double> first_us;
    for (const auto& [place, run] : medians_) {
      const std::string& name = run.run_name.function_name;
      const std::string what = name.substr(0, name.find('/'));
      const bool real_time = run.run_name.time_type == "real_time";
      const double us = real_time ? run.GetAdjustedRealTime() : run.GetAdjustedCPUTime();
      const double first = first_us.try_emplace(what, us).first->second;
      std::printf("| %s | %s | %.2f | %.2f | %.2f |\n", what.c_str(),
                  name.substr(what.size() + 1).c_str(), us,
                  run.counters.at("bytes_per_second").value / 1e9, first / us);
    }
  }

 private:
  std::map<std::int64_t, Run> medians_;
};

}  // namespace

int print_ratios(int argc, char** argv) {
  std::string defaults[] = {"--benchmark_repetitions=15", "--benchmark_min_time=0.05",
                            "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> arguments(argv, argv + argc);
  for (std::string& flag : defaults) arguments.insert(arguments.begin() + 1, flag.data());
  argc = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&argc, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(argc, arguments.data())) return 2;
  RatioTable table;
  return benchmark::RunSpecifiedBenchmarks(&table) == 0 ? 1 : 0;
}

}  // namespace chunker::bench
