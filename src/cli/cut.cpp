#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/try.hpp"
#include "chunker/batch.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Shows where FILE would be cut, without a store: offset, size, the digest's first
digits, and what lies in the chunk: the first file and how many more entries. A FILE
that is no NAR is cut as plain bytes. References are taken out first, as in
`chunker ingest`, so these are the very chunks that a store would hold.

With --content also what the bytes are, told from the chunk's first 4 KiB: type and
format; entropy in bits per byte, from a sample: near 8 nothing compresses them;
"run" if more than 90 % of the sample is one byte.

Examples:
  chunker cut hello.nar
  chunker cut --chunk-sizes 16K:64K:256K --nar-mode off hello.nar
  chunker cut --content --json hello.nar | jq .content
  chunker cut --json hello.nar | jq -r 'select(.kind == "chunk") | .digest' | sort -u
)";

struct CutFlags {
  std::vector<std::string> files;
  std::string hash = "blake3";
  unsigned threads = 0;
  CpuQuota quota;
  bool content = false;
  RecipeFlags recipe;
  ReferenceFlags references;
};

using Entries = std::span<const NarEntry>;

Json object_of(const ContentProfile& profile) {
  // Two digits: more would only tell the sample.
  const double rounded = std::round(static_cast<double>(profile.entropy_estimate) * 100) / 100;
  return {{"type", name(profile.type)},
          {"format", name(profile.format)},
          {"entropy_estimate", rounded},
          {"run_length", profile.run_length}};
}

Json object_of(const FileChunks& file, std::size_t chunk, Entries entries) {
  Json paths = Json::array();
  for (const NarEntry& entry : entries) paths.push_back(json_text(entry.path));
  Json object = {{"kind", "chunk"},
                 {"file", json_text(file.path.native())},
                 {"offset_bytes", file.extents[chunk].offset_bytes},
                 {"size_bytes", file.extents[chunk].size_bytes},
                 {"digest", file.digests[chunk].hex()},
                 {"entries", std::move(paths)}};
  if (!file.profiles.empty()) object["content"] = object_of(file.profiles[chunk]);
  return object;
}

// "binary, elf  5.97" and, behind a run, "run".
std::string words_of(const ContentProfile& profile) {
  const std::string kind = fmt::format(
      "{}{}{}", name(profile.type), profile.format == ContentFormat::unknown ? "" : ", ",
      profile.format == ContentFormat::unknown ? "" : name(profile.format));
  return fmt::format("{:<22}  {:>7.2f}  {:<3}  ", kind, profile.entropy_estimate,
                     profile.run_length ? "run" : "");
}

// "bin/sh (+3)": the first, and how many more there are.
std::string summary_of(Entries entries) {
  if (entries.empty()) return "-";
  std::string text = entries.front().path.empty() ? "." : printable(entries.front().path);
  if (entries.size() > 1) text += fmt::format(" (+{})", entries.size() - 1);
  return text;
}

std::string row_of(const FileChunks& file, std::size_t chunk, Entries entries) {
  constexpr std::size_t kDigitsShown = 16;
  return fmt::format(
      "{:>14}  {:>9}  {}  {}{}", file.extents[chunk].offset_bytes, file.extents[chunk].size_bytes,
      file.digests[chunk].hex().substr(0, kDigitsShown),
      file.profiles.empty() ? "" : words_of(file.profiles[chunk]), summary_of(entries));
}

void print_summary(const FileChunks& file, const CutFlags& flags, const Recipe& recipe,
                   Session& session) {
  Console& console = session.console;
  if (console.json()) {
    Json object = {{"kind", "file"},
                   {"file", json_text(file.path.native())},
                   {"is_nar", file.is_nar},
                   {"bytes", file.bytes},
                   {"chunks", file.extents.size()},
                   {"entries", file.entries.size()},
                   {"references", file.references.positions.size()},
                   {"hash", flags.hash},
                   {"recipe", json_of(recipe)}};
    session.memory.add_usage(object);
    console.print_json(object);
    return;
  }
  const std::uint64_t mean = file.extents.empty() ? 0 : file.bytes / file.extents.size();
  const std::string kind =
      file.is_nar ? "NAR of " + counted(file.entries.size(), "entry", "entries") : "no NAR";
  console.print(fmt::format("{}: {}, {}, {}, {} on average, by {}", printable(file.path.native()),
                            kind, human_bytes(file.bytes), counted(file.extents.size(), "chunk"),
                            human_bytes(mean), describe(recipe)));
}

void print_file(const FileChunks& file, const CutFlags& flags, const Recipe& recipe,
                Session& session) {
  Console& console = session.console;
  if (!console.json() && !console.quiet()) {
    const std::string content =
        flags.content ? fmt::format("{:<22}  {:>7}  {:<3}  ", "content", "entropy", "") : "";
    console.print(fmt::format("{:>14}  {:>9}  {:<16}  {}{}", "offset", "size", flags.hash, content,
                              "entries"));
  }
  const auto ranges = map_chunks_to_entries(file.extents, file.entries);
  for (std::size_t i = 0; i < file.extents.size(); ++i) {
    const auto inside =
        Entries(file.entries)
            .subspan(ranges[i].first_index, ranges[i].end_index - ranges[i].first_index);
    if (console.json()) {
      console.print_json(object_of(file, i, inside));
    } else if (!console.quiet()) {
      console.print(row_of(file, i, inside));
    }
  }
  print_summary(file, flags, recipe, session);
}

// What ends the whole command: one message is enough for all files that it did not come to.
bool has_stopped(ErrorCode code) {
  return code == ErrorCode::cancelled || code == ErrorCode::cpu_time_limit_exceeded;
}

Result<Exit> cut_files(const CutFlags& flags, Session& session) {
  CHUNKER_TRY(const ChunkingOptions chunking, flags.recipe.chunking());
  BatchOptions batch{.threads = flags.threads,
                     .quota = flags.quota,
                     .profile_contents = flags.content,
                     .memory_budget = session.memory.budget(),
                     .stop = session.stop.get_token()};
  CHUNKER_TRY(batch.hash, HashAlgorithm::named(flags.hash));
  CHUNKER_TRY(batch.store_prefix, flags.references.prefix());
  std::vector<std::filesystem::path> paths;
  for (const std::string& file : flags.files) paths.emplace_back(file == "-" ? "/dev/stdin" : file);
  CHUNKER_TRY(BatchStream results, batch_chunk_files(paths, chunking, std::move(batch)));
  Console& console = session.console;
  Exit exit = Exit::ok;
  std::size_t not_reached = 0;
  while (const auto result = results.next()) {
    if (result->chunks) {
      print_file(*result->chunks, flags, chunking.recipe, session);
    } else if (!has_stopped(result->chunks.error().code) || not_reached++ == 0) {
      exit = worse(console.report(result->chunks.error()), exit);
    }
    console.show(results.progress());
  }
  if (not_reached > 1) console.note(fmt::format("{} not done", counted(not_reached, "file")));
  return exit;
}

Exit run(const CutFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  const auto done = cut_files(flags, session);
  return done ? *done : session.console.report(done.error());
}

}  // namespace

void add_cut(CLI::App& program, Session& session) {
  auto flags = std::make_shared<CutFlags>();
  CLI::App& command = *program.add_subcommand("cut", "Show where files would be cut");
  add_words(command, "FILE", flags->files, "NARs, or any other files; - is standard input")
      ->required();
  add_json(command, session);
  add_quiet(command, session);
  add_threads(command, flags->threads);
  add_nice(command, session);
  add_memory_limit(command, session);
  add_quota(command, flags->quota);
  add_hash(command, flags->hash, "What names the chunks (blake3)");
  command.add_flag("--content", flags->content, "Show what is in each chunk");
  flags->recipe.add_to(command);
  flags->references.add_to(command);
  add_footer(command, kExamples);
  on_chosen(command, session, [flags, &session] { return run(*flags, session); });
}

}  // namespace chunker::cli
