#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/try.hpp"
#include "chunker/ingest.hpp"
#include "cli/checkpoint.hpp"
#include "cli/commands.hpp"
#include "cli/compression_flags.hpp"
#include "cli/flags.hpp"
#include "cli/ingest_report.hpp"
#include "cli/ingest_sources.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "pipeline/workers.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Each NAR is named after its file; the store is made if there is none. A line on
standard output means that this NAR is on the disk for good.

What references say (the hashes behind /nix/store/) is kept apart, so that a rebuild
in which only they differ costs next to nothing; and what is new is kept as what
differs from the version before, or from chunks that are alike, if the store has such.

--cpu-time-limit stops in order once so much was computed: what is stored stays, and at
least one NAR is. With --checkpoint the same command again goes on where it stopped, for
whatever reason, and passes over files that are stored and unchanged since; the file is
removed when all is done. It remembers NAR files, and goes neither with --tree nor with
standard input as a NAR.

Examples:
  chunker ingest --store /srv/nars hello.nar firefox.nar
  chunker ingest --store /srv/nars --tree /nix/store/*-hello-2.12
  xz -dc hello.nar.xz | chunker ingest --store /srv/nars --name hello.nar -
  find /cache -name '*.nar' | chunker ingest --store /srv/nars --files-from -
  chunker ingest --store /srv/nars --chunk-sizes 64K:256K:1M --strategy smallest *.nar
  chunker ingest --store /srv/nars --nice 19 --cpu-time-limit 600 --checkpoint ~/to-do *.nar
)";

struct IngestFlags {
  std::string store;
  SourceFlags sources;
  std::string layout;
  std::string hash;
  std::string pack_size;
  CompressionFlags compression;
  ReferenceFlags references;
  bool no_deltas = false;
  unsigned threads = 0;
  CpuQuota quota;
  std::string checkpoint;
  RecipeFlags recipe;
};

Result<Store> open_store(const IngestFlags& flags, const Session& session) {
  StoreOptions options{.access = StoreAccess::write, .create = true};
  options.memory_budget = session.memory.budget();
  CHUNKER_TRY(options.codecs, flags.compression.codecs());
  if (flags.layout == "objects") options.layout = StoreLayout::objects;
  if (!flags.hash.empty()) {
    CHUNKER_TRY(options.hash, HashAlgorithm::named(flags.hash));
  }
  if (!flags.pack_size.empty()) {
    const auto bytes = parse_bytes(flags.pack_size);
    if (!bytes || *bytes == 0) {
      return std::unexpected(
          usage_error("--pack-size is a size above 0, for example 16M", flags.pack_size));
    }
    options.pack_bytes_target = *bytes;
  }
  CHUNKER_TRY(Store store, Store::open(flags.store, std::move(options)));
  // Both decide how a new store is made; on an old one they would be ignored in silence.
  if (!flags.layout.empty() && name(store.layout()) != flags.layout) {
    return std::unexpected(usage_error("this store has another layout", flags.store));
  }
  if (!flags.hash.empty() && store.hash().name() != flags.hash) {
    return std::unexpected(usage_error("this store has another hash", flags.store));
  }
  return store;
}

// What it cannot remember is stored all the same.
void remember(Checkpoint& checkpoint, const IngestSource& source, const IngestedNar& nar,
              Console& console) {
  const auto added = checkpoint.add(source, nar.nar_sha256);
  if (added) return;
  console.note(fmt::format("warning: {}: {}; what is stored from now on is not remembered",
                           printable(added.error().context), added.error().what));
}

/// A tree says nothing of when it changed last, and what came through a pipe does not come again.
Result<void> check_can_remember(bool can) {
  if (can) return {};
  return std::unexpected(usage_error(
      "--checkpoint remembers NAR files: it goes neither with --tree nor with standard input"));
}

Result<void> ingest_all(const IngestFlags& flags, Session& session, IngestReport& report) {
  CHUNKER_TRY_VOID(flags.sources.check());
  if (!flags.checkpoint.empty()) CHUNKER_TRY_VOID(check_can_remember(flags.sources.are_files()));
  IngestOptions options;
  CHUNKER_TRY(options.chunking, flags.recipe.chunking());
  CHUNKER_TRY(const CompressionOptions compression, flags.compression.compression());
  options.strategy = compression.strategy;
  options.min_ratio_threshold = compression.min_ratio_threshold;
  options.max_compression_time_ms = compression.max_compression_time_ms;
  CHUNKER_TRY(options.store_prefix, flags.references.prefix());
  options.deltas = !flags.no_deltas;
  options.threads = flags.threads;
  options.quota = flags.quota;
  options.stop = session.stop.get_token();
  SourceList sources(flags.sources);
  CHUNKER_TRY_VOID(sources.open(options.stop));
  std::optional<Checkpoint> checkpoint;
  if (!flags.checkpoint.empty()) {
    CHUNKER_TRY(checkpoint, Checkpoint::open(flags.checkpoint));
  }
  CHUNKER_TRY(Store store, open_store(flags, session));

  Progress before;
  bool last = false;
  while (!last) {
    CHUNKER_TRY(auto group, sources.next_group(last));
    if (checkpoint) {
      // A list may name standard input.
      CHUNKER_TRY_VOID(check_can_remember(std::ranges::all_of(
          group, [](const auto& source) { return source.kind == IngestSource::Kind::nar_file; })));
      report.add_skipped(checkpoint->skip_known(store, group));
    }
    Progress now;
    const auto on_progress = [&](const Progress& progress) {
      now = progress;
      now.files_completed += before.files_completed;
      now.files_total += before.files_total;
      now.bytes_processed += before.bytes_processed;
      now.bytes_total =
          last && progress.bytes_total != 0 ? progress.bytes_total + before.bytes_processed : 0;
      now.elapsed_seconds += before.elapsed_seconds;
      session.console.show(now);
    };
    const auto on_ingested = [&](const IngestSource& source, const Result<IngestedNar>& result) {
      if (checkpoint && result) remember(*checkpoint, source, *result, session.console);
      report.add(result);
    };
    const auto done = ingest(store, group, options, on_ingested, on_progress);
    // A wish to stop that came when all was done changes nothing.
    const bool all_done = last && report.reached_all();
    if (!done && !(all_done && done.error().code == ErrorCode::cancelled)) return done;
    before = now;
    // A millisecond at least: each group is to come closer to its end.
    options.quota.cpu_time_limit_ms = std::max<std::uint64_t>(
        cpu_time_left_ms(flags.quota), flags.quota.cpu_time_limit_ms != 0 ? 1 : 0);
  }
  if (checkpoint && report.stored_all()) return checkpoint->remove();
  return {};
}

Exit run(const IngestFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  IngestReport report(session.console,
                      {pipeline::thread_count(flags.threads), resource::thread_nice_level(),
                       flags.quota.cpu_time_limit_ms},
                      session.memory);
  if (auto done = ingest_all(flags, session, report); !done) {
    report.add_error(done.error());
  }
  return report.finish();
}

}  // namespace

void add_ingest(CLI::App& program, Session& session) {
  auto flags = std::make_shared<IngestFlags>();
  CLI::App& command = *program.add_subcommand("ingest", "Take NARs into a store");
  add_store(command, flags->store);
  flags->sources.add_to(command);
  add_json(command, session);
  add_quiet(command, session);
  add_threads(command, flags->threads);
  add_nice(command, session);
  add_memory_limit(command, session);
  add_quota(command, flags->quota);
  add_text(command, "--checkpoint", flags->checkpoint, "FILE",
           "Remember in FILE which NAR files are stored, to go on from there")
      ->check([](const std::string& file) { return file.empty() ? "needs a name" : ""; });
  flags->compression.add_to(command);
  flags->recipe.add_to(command);
  flags->references.add_to(command);
  command.add_flag("--no-deltas", flags->no_deltas, "Keep new chunks whole, not as differences");
  add_text(command, "--pack-size", flags->pack_size, "SIZE",
           "End a pack at about this size (64M): NARs are acknowledged when their pack ends");
  command.add_option("--layout", flags->layout, "Many chunks in a file (packs), or one (objects)")
      ->option_text("packs|objects")
      ->check(CLI::IsMember({"packs", "objects"}))
      ->group("For a new store");
  add_hash(command, flags->hash, "What names its chunks (blake3)")->group("For a new store");
  add_footer(command, kExamples);
  on_chosen(command, session, [flags, &session] { return run(*flags, session); });
}

}  // namespace chunker::cli
