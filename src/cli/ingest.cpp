#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_map>

#include "base/try.hpp"
#include "chunker/ingest.hpp"
#include "cli/commands.hpp"
#include "cli/compression_flags.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Each NAR is named after its file; the store is made if there is none. A line on
standard output means that this NAR is on the disk for good.

What references say (the hashes behind /nix/store/) is kept apart, so that a rebuild
in which only they differ costs next to nothing; and what is new is kept as what
differs from the version before, or from chunks that are alike, if the store has such.

Examples:
  chunker ingest --store /srv/nars hello.nar firefox.nar
  chunker ingest --store /srv/nars --tree /nix/store/*-hello-2.12
  xz -dc hello.nar.xz | chunker ingest --store /srv/nars --name hello.nar -
  find /cache -name '*.nar' | chunker ingest --store /srv/nars --files-from -
  chunker ingest --store /srv/nars --chunk-sizes 64K:256K:1M --strategy smallest *.nar
)";

// Sources handed over at once, so that a list of millions does not have to fit in memory.
constexpr std::size_t kGroupSourcesMax = 1 << 16;

struct IngestFlags {
  std::string store;
  std::vector<std::string> files;
  std::string files_from;
  bool null_separated = false;
  bool tree = false;
  std::string name;
  std::string layout;
  std::string hash;
  std::string pack_size;
  CompressionFlags compression;
  ReferenceFlags references;
  bool no_deltas = false;
  unsigned threads = 0;
  RecipeFlags recipe;
};

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

IngestSource source_of(const std::string& file, bool tree) {
  IngestSource source;
  if (file == "-") {
    source.kind = IngestSource::Kind::file_descriptor;
    source.descriptor = STDIN_FILENO;
    return source;
  }
  source.kind = tree ? IngestSource::Kind::tree : IngestSource::Kind::nar_file;
  source.path = file;
  if (!is_plain_file_name(source.path.filename().native())) {
    // "dir/", "." and "..": what they are called where they lie. "/" has no name; its hash will do.
    std::error_code ignored;
    const auto real = std::filesystem::canonical(source.path, ignored);
    source.name = real.filename();
  }
  return source;
}

// Gives the sources in groups: the arguments, then the lines of --files-from.
class SourceList {
 public:
  explicit SourceList(const IngestFlags& flags) : flags_(flags) {}

  [[nodiscard]] Result<void> open(std::stop_token stop) {
    if (flags_.files_from.empty()) return {};
    const char end = flags_.null_separated ? '\0' : '\n';
    CHUNKER_TRY(list_, LineReader::open(flags_.files_from, end, std::move(stop)));
    return {};
  }

  /// The next ones; none at the end. `last` if no more can follow.
  Result<std::vector<IngestSource>> next_group(bool& last) {
    std::vector<IngestSource> group;
    while (group.size() < kGroupSourcesMax && next_argument_ < flags_.files.size()) {
      group.push_back(source_of(flags_.files[next_argument_++], flags_.tree));
    }
    while (list_ && group.size() < kGroupSourcesMax) {
      CHUNKER_TRY(const auto line, list_->next());
      if (!line) {
        list_.reset();
      } else if (!line->empty()) {
        group.push_back(source_of(std::string(*line), flags_.tree));
      }
    }
    last = next_argument_ == flags_.files.size() && !list_;
    if (!flags_.name.empty() && group.size() == 1) group.front().name = flags_.name;
    return group;
  }

 private:
  const IngestFlags& flags_;
  std::size_t next_argument_ = 0;
  std::optional<LineReader> list_;
};

// What the names of a group meant before: what loses its name to another NAR is kept under a new one
// (doc/cli.md), and whoever reused the name wants to know.
class OlderNars {
 public:
  OlderNars(const Store& store, std::span<const IngestSource> group) {
    for (const IngestSource& source : group) {
      const std::string name = source.name.empty() ? source.path.filename().string() : source.name;
      const auto found = store.find(name);
      if (found && found->name == name) meanings_[name] = found->nar_sha256;
    }
  }

  /// The new name of what `nar` has taken the name from; empty if there was nothing. In the order of
  /// acknowledgements.
  std::string displaced_by(const IngestedNar& nar) {
    const auto [known, is_new] = meanings_.try_emplace(nar.name, nar.nar_sha256);
    const Digest older = std::exchange(known->second, nar.nar_sha256);
    if (is_new || older == nar.nar_sha256) return {};
    constexpr std::size_t kDigits = 12;
    return nar.name + "~" + older.hex().substr(0, kDigits);
  }

 private:
  std::unordered_map<std::string, Digest> meanings_;
};

// Adds up what became of the sources and says it.
class Report {
 public:
  explicit Report(Console& console) : console_(console) {}

  /// `older` is the name that what had this name before has now.
  void add(const Result<IngestedNar>& result, const std::string& older) {
    if (!result) return add_failure(result.error());
    ++nars_;
    total_.nar_bytes += result->nar_bytes;
    total_.references += result->references;
    total_.chunks += result->chunks;
    total_.new_chunks += result->new_chunks;
    total_.new_raw_bytes += result->new_raw_bytes;
    total_.new_stored_bytes += result->new_stored_bytes;
    total_.delta_raw_bytes += result->delta_raw_bytes;
    total_.delta_stored_bytes += result->delta_stored_bytes;
    if (console_.json()) {
      Json object = object_of(*result);
      if (!older.empty()) object["older_kept_as"] = json_text(older);
      console_.print_json(object);
    } else if (!console_.quiet()) {
      console_.print(fmt::format("{:>10}  {:>10} new  {}", human_bytes(result->nar_bytes),
                                 human_bytes(result->new_stored_bytes), printable(result->name)));
    }
    console_.flush();
    if (!older.empty()) {
      console_.note(fmt::format("another NAR was called {}; it is kept as {}",
                                printable(result->name), printable(older)));
    }
  }

  /// Whether every source so far was stored, or failed by itself.
  [[nodiscard]] bool reached_all() const noexcept { return not_reached_ == 0; }

  /// What ended the whole operation.
  void add_error(const Error& error) {
    const bool told =
        error.code == ErrorCode::cancelled || (error.code == ErrorCode::io_no_space && full_);
    if (!told) console_.report(error);
    exit_ = worse(exit_of(error.code), exit_);
  }

  /// Says the sum, unless nothing was begun.
  Exit finish() {
    if (exit_ == Exit::ok || nars_ + failed_ + not_reached_ != 0) say_sum();
    if (exit_ == Exit::interrupted && SignalWatch::received() != 0) {
      console_.note(fmt::format("stopped by {}: {} stored, {} not", SignalWatch::received_name(),
                                counted(nars_, "NAR"), with_commas(failed_ + not_reached_)));
    }
    return exit_;
  }

 private:
  void say_sum() {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    if (console_.json()) {
      Json object = object_of(total_);
      object.erase("name");
      object.erase("nar_sha256");
      object.erase("nar_hash");
      object["kind"] = "summary";
      object["nars"] = nars_;
      object["failed"] = failed_;
      object["not_reached"] = not_reached_;
      object["elapsed_seconds"] = seconds;
      console_.print_json(object);
    } else {
      console_.print(summary(seconds));
      if (const std::string savings = savings_of(total_); !savings.empty()) console_.print(savings);
    }
  }

  void add_failure(const Error& error) {
    if (error.code == ErrorCode::cancelled) {
      ++not_reached_;
      return;
    }
    ++failed_;
    exit_ = worse(exit_of(error.code), exit_);
    // One message is enough for a full disk, which fails everything that follows.
    if (error.code == ErrorCode::io_no_space && std::exchange(full_, true)) return;
    console_.report(error);
  }

  static Json object_of(const IngestedNar& nar) {
    return {{"kind", "nar"},
            {"name", json_text(nar.name)},
            {"nar_sha256", nar.nar_sha256.hex()},
            {"nar_hash", nix_hash(nar.nar_sha256)},
            {"nar_bytes", nar.nar_bytes},
            {"references", nar.references},
            {"chunks", nar.chunks},
            {"new_chunks", nar.new_chunks},
            {"new_raw_bytes", nar.new_raw_bytes},
            {"new_stored_bytes", nar.new_stored_bytes},
            {"delta_raw_bytes", nar.delta_raw_bytes},
            {"delta_stored_bytes", nar.delta_stored_bytes}};
  }

  // What kept the sum small, as far as there is anything.
  static std::string savings_of(const IngestedNar& sum) {
    std::vector<std::string> parts;
    if (sum.nar_bytes > sum.new_raw_bytes) {
      parts.push_back(human_bytes(sum.nar_bytes - sum.new_raw_bytes) + " duplicates");
    }
    if (sum.delta_raw_bytes != 0) {
      parts.push_back(fmt::format("{} as deltas of {}", human_bytes(sum.delta_raw_bytes),
                                  human_bytes(sum.delta_stored_bytes)));
    }
    if (sum.references != 0) parts.push_back(counted(sum.references, "reference") + " taken out");
    if (parts.empty()) return {};
    return fmt::format("of {}: {}", human_bytes(sum.nar_bytes), fmt::join(parts, ", "));
  }

  [[nodiscard]] std::string summary(double seconds) const {
    const auto rate = static_cast<double>(total_.nar_bytes) / std::max(seconds, 1e-9);
    std::string line =
        fmt::format("{}, {} in {} ({}/s): {} of {} new, {} written", counted(nars_, "NAR"),
                    human_bytes(total_.nar_bytes), duration(seconds),
                    human_bytes(static_cast<std::uint64_t>(rate)), with_commas(total_.new_chunks),
                    counted(total_.chunks, "chunk"), human_bytes(total_.new_stored_bytes));
    if (failed_ != 0) line += fmt::format("; {} failed", with_commas(failed_));
    if (not_reached_ != 0) line += fmt::format("; {} not reached", with_commas(not_reached_));
    return line;
  }

  Console& console_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  IngestedNar total_;
  std::uint64_t nars_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t not_reached_ = 0;
  bool full_ = false;  // a full disk was reported
  Exit exit_ = Exit::ok;
};

Result<Store> open_store(const IngestFlags& flags) {
  StoreOptions options{.access = StoreAccess::write, .create = true};
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

Result<void> check(const IngestFlags& flags) {
  if (flags.files.empty() && flags.files_from.empty()) {
    return std::unexpected(usage_error("name at least one FILE, or a list with --files-from"));
  }
  if (std::ranges::count(flags.files, "-") + (flags.files_from == "-" ? 1 : 0) > 1) {
    return std::unexpected(usage_error("standard input can be read only once"));
  }
  if (flags.name.empty()) return {};
  if (flags.files.size() != 1 || !flags.files_from.empty()) {
    return std::unexpected(usage_error("--name goes with exactly one FILE"));
  }
  if (!is_plain_file_name(flags.name)) {
    return std::unexpected(usage_error("--name must be a file name, without '/'", flags.name));
  }
  return {};
}

Result<void> ingest_all(const IngestFlags& flags, Session& session, Report& report) {
  CHUNKER_TRY_VOID(check(flags));
  IngestOptions options;
  CHUNKER_TRY(options.chunking, flags.recipe.chunking());
  const CompressionOptions compression = flags.compression.compression();
  options.strategy = compression.strategy;
  options.min_ratio_threshold = compression.min_ratio_threshold;
  options.max_compression_time_ms = compression.max_compression_time_ms;
  CHUNKER_TRY(options.store_prefix, flags.references.prefix());
  options.deltas = !flags.no_deltas;
  options.threads = flags.threads;
  options.stop = session.stop.get_token();
  SourceList sources(flags);
  CHUNKER_TRY_VOID(sources.open(options.stop));
  CHUNKER_TRY(Store store, open_store(flags));

  Progress before;
  bool last = false;
  while (!last) {
    CHUNKER_TRY(const auto group, sources.next_group(last));
    OlderNars older(store, group);
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
    const auto on_ingested = [&](const IngestSource&, const Result<IngestedNar>& result) {
      report.add(result, result ? older.displaced_by(*result) : std::string());
    };
    const auto done = ingest(store, group, options, on_ingested, on_progress);
    // A wish to stop that came when all was done changes nothing.
    const bool all_done = last && report.reached_all();
    if (!done && !(all_done && done.error().code == ErrorCode::cancelled)) return done;
    before = now;
  }
  return {};
}

Exit run(const IngestFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  Report report(session.console);
  if (auto done = ingest_all(flags, session, report); !done) {
    report.add_error(done.error());
  }
  return report.finish();
}

}  // namespace

void add_ingest(CLI::App& program, Session& session) {
  auto flags = std::make_shared<IngestFlags>();
  CLI::App& command = *program.add_subcommand("ingest", "Take NARs into a store");
  add_words(command, "FILE", flags->files,
            "NAR files, or file trees with --tree; - is standard input");
  add_store(command, flags->store);
  command.add_flag("--tree", flags->tree, "Each FILE is a file tree: make its NAR on the way");
  add_text(command, "--name", flags->name, "NAME", "What to call the one NAR");
  add_text(command, "--files-from", flags->files_from, "LIST",
           "More files, one a line; - is standard input");
  command.add_flag("-0,--null", flags->null_separated,
                   "The list's names end with NUL, not newline");
  add_json(command, session);
  add_quiet(command, session);
  add_threads(command, flags->threads);
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
