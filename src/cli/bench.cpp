#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/try.hpp"
#include "cli/bench_content.hpp"
#include "cli/bench_stages.hpp"
#include "cli/bench_store.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/statistics.hpp"
#include "cli/text.hpp"
#include "pipeline/workers.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Measures every stage that content goes through, on one thread each, and the whole way
into a store and back on all of them. Without FILE a NAR is made up: good for comparing
machines. Speeds are in GB (10^9 bytes) of content per second of time on the clock; ways
of one stage take turns, so that what else the machine does hits them alike.

"cut" is FastCDC by each kernel on plain bytes, and NARs parsed and cut. In "ingest" and
"restore" a temporary store takes the NARs in, takes them in once more when it knows them,
and gives them back into files; what others have written lies in the page cache by then.

Examples:
  chunker bench
  chunker bench --stage cut --stage hash --runs 20 firefox.nar
  chunker bench --directory /srv --sample 1G /srv/nars/*.nar
  chunker bench --json | jq -r 'select(.kind == "speed") | [.stage, .way, .peak_gb_per_second] | @tsv'
  chunker bench codecs --help
)";

constexpr std::string_view kStages[] = {"cut", "hash", "code", "latency", "store"};

struct BenchFlags {
  std::vector<std::string> files;
  std::vector<std::string> stages;
  std::string sample;
  std::string directory;
  unsigned runs = 5;
  unsigned threads = 0;
  RecipeFlags recipe;

  [[nodiscard]] bool wants(std::string_view stage) const {
    return stages.empty() || std::ranges::find(stages, stage) != stages.end();
  }
};

std::string temporary_directory() {
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

void print_speed(const WaySpeeds& way, Console& console) {
  const Statistics speed = statistics_of(way.gb_per_second);
  if (console.json()) {
    console.print_json({{"kind", "speed"},
                        {"stage", way.stage},
                        {"way", way.name},
                        {"bytes", way.bytes},
                        {"runs", way.gb_per_second.size()},
                        {"peak_gb_per_second", speed.peak},
                        {"average_gb_per_second", speed.average},
                        {"deviation_gb_per_second", speed.deviation}});
  } else {
    console.print(fmt::format("{:<11} {:<20} {:>8.3f} {:>9.3f} {:>10.3f}", way.stage, way.name,
                              speed.peak, speed.average, speed.deviation));
  }
}

void print_latencies(const std::vector<double>& all_us, Console& console) {
  const double median = quantile(all_us, 0.5), p99 = quantile(all_us, 0.99);
  const double longest = quantile(all_us, 1);
  if (console.json()) {
    console.print_json({{"kind", "latency"},
                        {"what", "cut, blake3, zstd"},
                        {"bytes", 1'000'000},
                        {"count", all_us.size()},
                        {"median_us", median},
                        {"p99_us", p99},
                        {"longest_us", longest}});
  } else if (all_us.empty()) {
    console.print("\nNo NAR is as large as 1 MB: no latencies.");
  } else {
    console.print(
        fmt::format("\n1 MB cut, hashed by blake3 and compressed by zstd, {}: half within "
                    "{:.2f} ms,\n99 % within {:.2f} ms, the longest {:.2f} ms",
                    counted(all_us.size(), "time"), median / 1000, p99 / 1000, longest / 1000));
  }
  console.flush();
}

/// Measures stage after stage; lines appear as they come.
class Bench {
 public:
  Bench(const BenchFlags& flags, ChunkingOptions chunking, BenchContent content, Session& session)
      : flags_(flags),
        chunking_(std::move(chunking)),
        content_(std::move(content)),
        console_(session.console),
        stop_(session.stop.get_token()) {}

  Result<void> run() {
    print_introduction();
    if (flags_.wants("cut")) CHUNKER_TRY_VOID(measure(cutting_ways(content_, chunking_)));
    if (flags_.wants("hash")) CHUNKER_TRY_VOID(measure(hashing_ways(content_, chunking_)));
    if (flags_.wants("code")) CHUNKER_TRY_VOID(measure(coding_ways(content_, stop_)));
    if (flags_.wants("store")) CHUNKER_TRY_VOID(measure_store());
    if (flags_.wants("latency")) {
      CHUNKER_TRY(const auto all_us, megabyte_latencies(content_, flags_.runs, stop_));
      print_latencies(all_us, console_);
    }
    return {};
  }

 private:
  void print_introduction() {
    if (console_.json()) return;
    if (!console_.quiet()) {
      console_.print(fmt::format(
          "{}, {}; {}; one thread, but {} for ingest and restore\n", human_bytes(content_.bytes),
          content_.is_made_up ? "made up" : "from " + counted(content_.nars.size(), "file"),
          counted(flags_.runs, "run"), pipeline::thread_count(flags_.threads)));
    }
    console_.print(fmt::format("{:<11} {:<20} {:>8} {:>9} {:>10}  GB/s", "stage", "way", "peak",
                               "average", "deviation"));
    console_.flush();
  }

  Result<void> measure(Result<std::vector<BenchWay>> ways) {
    if (!ways) return std::unexpected(std::move(ways).error());
    CHUNKER_TRY(const auto speeds, measure_in_turns(*ways, content_.bytes, flags_.runs, stop_));
    for (const WaySpeeds& way : speeds) print_speed(way, console_);
    console_.flush();
    return {};
  }

  Result<void> measure_store() {
    CHUNKER_TRY(
        const auto directory,
        BenchDirectory::make(flags_.directory.empty() ? temporary_directory() : flags_.directory));
    return measure(store_ways(content_, directory, {chunking_, flags_.threads, stop_}));
  }

  const BenchFlags& flags_;
  ChunkingOptions chunking_;
  BenchContent content_;
  Console& console_;
  std::stop_token stop_;
};

Result<void> bench_stages(const BenchFlags& flags, Session& session) {
  constexpr std::uint64_t kSampleBytesMax = 1ULL << 40;
  const std::string sample =
      !flags.sample.empty() ? flags.sample : (flags.files.empty() ? "64M" : "256M");
  const auto sample_bytes = parse_bytes(sample);
  if (!sample_bytes || *sample_bytes == 0 || *sample_bytes > kSampleBytesMax) {
    return std::unexpected(
        usage_error("--sample is a size above 0 and up to 1T, for example 64M", sample));
  }
  CHUNKER_TRY(auto chunking, flags.recipe.chunking());
  CHUNKER_TRY(auto content, bench_content(flags.files, *sample_bytes, session.stop.get_token()));
  if (content.left_out_count != 0) {
    session.console.note(fmt::format("{} left out: more than --sample {}",
                                     counted(content.left_out_count, "file"), sample));
  }
  return Bench(flags, std::move(chunking), std::move(content), session).run();
}

}  // namespace

void add_bench(CLI::App& program, Session& session) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App& bench = *program.add_subcommand("bench", "Measure what this machine makes of content");
  add_words(bench, "FILE", flags->files, "NARs");
  add_text(bench, "--sample", flags->sample, "SIZE",
           "How much of them to take into memory, or to make up (256M, 64M)");
  bench.add_option("--stage", flags->stages, "Only this one; may be repeated")
      ->option_text("cut|hash|code|latency|store")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kStages), std::end(kStages))))
      ->allow_extra_args(false);  // What follows may be a FILE.
  add_text(bench, "--directory", flags->directory, "DIR",
           "Where the temporary store goes (TMPDIR, or /tmp)");
  bench.add_option("--runs", flags->runs, "How often each way is measured (5)")
      ->option_text("N")
      ->check(CLI::Range(1, 1000));
  add_threads(bench, flags->threads);
  flags->recipe.add_to(bench);
  add_json(bench, session);
  add_quiet(bench, session);
  add_footer(bench, kExamples);
  const auto run = [flags, &session]() -> Result<void> {
    const SignalWatch signals(session.stop);
    return bench_stages(*flags, session);
  };
  constexpr bool kOpensStore = true;
  on_chosen(bench, session, run, kOpensStore);
  add_bench_codecs(bench, session);
}

}  // namespace chunker::cli
