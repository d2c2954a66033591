#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stop_token>

#include "base/try.hpp"
#include "chunker/batch.hpp"
#include "chunker/benchmark.hpp"
#include "cli/bench_content.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kCodecExamples = R"(
Compresses the same content by every codec of this build, and by every --strategy of
`chunker ingest`, on one thread. FILEs are cut as ingest cuts them, and of what comes
out, in frames of about 1 MiB, a sample spread over all of it is taken. Without FILE,
content is made up: good for comparing machines, not for knowing what a store saves.

"stored" is what is left of the content, in percent and as a bar. Speeds are in MB of
content per second, the median of the runs.

Examples:
  chunker bench codecs *.nar
  chunker bench codecs --sample 64M --runs 5 firefox.nar
  chunker bench codecs --json *.nar | jq -r 'select(.kind == "codec") | [.name, .ratio] | @tsv'
)";

constexpr std::size_t kFrameBytes = 1 << 20;  // About what ingest compresses together.
constexpr std::size_t kMadeUpBytes = 8 << 20;

struct CodecBenchFlags {
  std::vector<std::string> files;
  std::string sample = "16M";
  unsigned runs = 3;
};

/// A stretch of a file: chunks that follow each other.
struct Stretch {
  std::size_t file_index;
  std::uint64_t offset_bytes;
  std::uint64_t size_bytes;
};

void add_stretches(const FileChunks& file, std::size_t file_index, std::vector<Stretch>& all) {
  Stretch open{file_index, 0, 0};
  for (const ChunkExtent& chunk : file.extents) {
    if (open.size_bytes != 0 && open.size_bytes + chunk.size_bytes > kFrameBytes) {
      all.push_back(open);
      open = {file_index, chunk.offset_bytes, 0};
    }
    open.size_bytes += chunk.size_bytes;
  }
  if (open.size_bytes != 0) all.push_back(open);
}

/// Every second, every third ...: as many as come to about `bytes_max`, and at least one.
std::vector<Stretch> spread(const std::vector<Stretch>& all, std::uint64_t bytes_max) {
  std::uint64_t total = 0;
  for (const Stretch& stretch : all) total += stretch.size_bytes;
  const std::size_t step = static_cast<std::size_t>((total + bytes_max - 1) / bytes_max);
  std::vector<Stretch> taken;
  for (std::size_t i = 0; i < all.size(); i += std::max<std::size_t>(1, step)) {
    taken.push_back(all[i]);
  }
  return taken;
}

Result<FileChunks> cut_file(const std::string& file, const std::stop_token& stop) {
  std::error_code unknown;
  const auto status = std::filesystem::status(file, unknown);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return std::unexpected(
        usage_error("only files can be measured, no directories, no pipes", file));
  }
  CHUNKER_TRY(BatchStream results,
              batch_chunk_files({file}, ChunkingOptions::store(), {.threads = 1, .stop = stop}));
  return std::move(results.next()->chunks);
}

Result<ByteBuffer> content_of(const Stretch& stretch, const std::vector<std::string>& files) {
  CHUNKER_TRY(const auto file, resource::File::open_read(files[stretch.file_index]));
  ByteBuffer content(static_cast<std::size_t>(stretch.size_bytes));
  CHUNKER_TRY(const std::size_t read, file.read_at(stretch.offset_bytes, content.span()));
  content.resize(read);
  return content;
}

Result<std::vector<ByteBuffer>> contents_of_files(const std::vector<std::string>& files,
                                                  std::uint64_t sample_bytes,
                                                  const std::stop_token& stop) {
  std::vector<Stretch> all;
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHUNKER_TRY(const FileChunks chunks, cut_file(files[i], stop));
    add_stretches(chunks, i, all);
  }
  if (all.empty()) {
    return std::unexpected(usage_error("there is nothing to measure in an empty file", files[0]));
  }
  std::vector<ByteBuffer> contents;
  for (const Stretch& stretch : spread(all, sample_bytes)) {
    if (stop.stop_requested()) return base::fail(ErrorCode::cancelled, "stopped on request");
    CHUNKER_TRY(ByteBuffer content, content_of(stretch, files));
    contents.push_back(std::move(content));
  }
  return contents;
}

Json object_of(const CodecFigures& figures) {
  return {{"kind", figures.is_strategy ? "strategy" : "codec"},
          {"name", figures.name},
          {"raw_bytes", figures.raw_bytes},
          {"stored_bytes", figures.stored_bytes},
          {"ratio", figures.ratio()},
          {"compress_mb_per_second", figures.compress_mb_per_second()},
          {"decompress_mb_per_second", figures.decompress_mb_per_second()}};
}

std::string row_of(const CodecFigures& figures) {
  constexpr std::size_t kCells = 24;
  const std::uint64_t raw_bytes = std::max<std::uint64_t>(1, figures.raw_bytes);
  const auto cells = std::min<std::uint64_t>(kCells, figures.stored_bytes * kCells / raw_bytes);
  return fmt::format(
      "{:<10} {:>6.2f} {:>11.1f} {:>13.1f}  {:>5.1f} %  {}", figures.name, figures.ratio(),
      figures.compress_mb_per_second(), figures.decompress_mb_per_second(),
      100 * static_cast<double>(figures.stored_bytes) / static_cast<double>(raw_bytes),
      std::string(std::max<std::uint64_t>(1, cells), '#'));
}

void print_heading(std::string_view what, Console& console) {
  console.print(fmt::format("{:<10} {:>6} {:>11} {:>13}  {}", what, "ratio", "compress",
                            "decompress", "stored"));
}

/// The table grows as figures come: the slowest codecs take a while.
class Table {
 public:
  explicit Table(Console& console) : console_(console) {}

  void add(const CodecFigures& figures) {
    if (console_.json()) {
      console_.print_json(object_of(figures));
    } else {
      if (!begun_) print_heading("codec", console_);
      if (figures.is_strategy && !strategies_) console_.print("");
      if (figures.is_strategy && !strategies_) print_heading("strategy", console_);
      console_.print(row_of(figures));
    }
    begun_ = true;
    strategies_ = figures.is_strategy;
    console_.flush();
  }

 private:
  Console& console_;
  bool begun_ = false;
  bool strategies_ = false;
};

void print_introduction(const CodecBenchFlags& flags, std::span<const Bytes> contents,
                        Console& console) {
  std::uint64_t bytes = 0;
  for (const Bytes content : contents) bytes += content.size();
  if (console.json() || console.quiet()) return;
  console.print(fmt::format(
      "{} in {}, {}; {}, one thread, MB/s\n", human_bytes(bytes), counted(contents.size(), "frame"),
      flags.files.empty() ? "made up" : "from " + counted(flags.files.size(), "file"),
      counted(flags.runs, "run")));
  console.flush();
}

Result<void> bench_codecs(const CodecBenchFlags& flags, Session& session) {
  const auto sample_bytes = parse_bytes(flags.sample);
  if (!sample_bytes || *sample_bytes == 0) {
    return std::unexpected(
        usage_error("--sample is a size above 0, for example 16M", flags.sample));
  }
  const std::stop_token stop = session.stop.get_token();
  std::vector<ByteBuffer> owned;
  if (flags.files.empty()) {
    owned = made_up_pieces(kMadeUpBytes / kFrameBytes, kFrameBytes);
  } else {
    CHUNKER_TRY(owned, contents_of_files(flags.files, *sample_bytes, stop));
  }
  const std::vector<Bytes> contents(owned.begin(), owned.end());
  print_introduction(flags, contents, session.console);
  Table table(session.console);
  return benchmark_codecs(
      contents, {.runs = flags.runs, .stop = stop, .on_figures = [&](const auto& figures) {
                   table.add(figures);
                   return true;
                 }});
}

}  // namespace

void add_bench_codecs(CLI::App& bench, Session& session) {
  auto flags = std::make_shared<CodecBenchFlags>();
  CLI::App& command = *bench.add_subcommand("codecs", "Compare codecs and strategies");
  auto* const files = add_words(command, "FILE", flags->files, "NARs, or any other files");
  add_text(command, "--sample", flags->sample, "SIZE", "How much of their content to take (16M)")
      ->needs(files);
  command.add_option("--runs", flags->runs, "How often each is measured (3)")
      ->option_text("N")
      ->check(CLI::Range(1, 1000));
  add_json(command, session);
  add_quiet(command, session);
  add_footer(command, kCodecExamples);
  on_chosen(command, session, [flags, &session]() -> Result<void> {
    const SignalWatch signals(session.stop);
    return bench_codecs(*flags, session);
  });
}

}  // namespace chunker::cli
