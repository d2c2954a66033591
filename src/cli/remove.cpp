#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kRemoveExamples = R"(
Takes names away, all of them or, if one is unknown, none. The room that only they
needed comes back with `chunker gc`.

Examples:
  chunker remove --store /srv/nars hello.nar
  chunker remove --store /srv/nars hello firefox && chunker gc --store /srv/nars
)";

constexpr std::string_view kGcExamples = R"(
Deletes packs in which nothing is needed any more, and rewrites those in which at
least the given share is garbage. May be interrupted at any moment.

Examples:
  chunker gc --store /srv/nars --dry-run
  chunker gc --store /srv/nars --garbage-min 0
)";

struct RemoveFlags {
  std::string store;
  std::vector<std::string> names;
};

struct GcFlags {
  std::string store;
  bool dry_run = false;
  double garbage_min_percent = 100 * GcOptions{}.garbage_min;
};

// The exact name that `word` stands for. Not by hash: a NAR may have several names, and which one is to go
// must be said.
Result<std::string> name_of(const Store& store, const std::string& word) {
  const auto found = find_nar(store, word);
  // A NAR whose manifest is lost is found by nothing, and can still be removed by its exact name.
  if (!found && found.error().code == ErrorCode::store_corrupt) return word;
  CHUNKER_TRY(const StoredNar nar, found);
  if (nar.name == word || nar.name == word + ".nar" || nar.name + ".nar" == word) return nar.name;
  return std::unexpected(
      usage_error("remove takes names: this is the hash of a NAR", word + ": " + nar.name));
}

Result<void> remove(const RemoveFlags& flags, Console& console) {
  CHUNKER_TRY(Store store, Store::open(flags.store, {.access = StoreAccess::write}));
  std::vector<std::string> names;
  for (const std::string& word : flags.names) {
    CHUNKER_TRY(std::string name, name_of(store, word));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  CHUNKER_TRY_VOID(store.remove(names));
  for (const std::string& name : names) {
    if (console.json()) {
      console.print_json({{"kind", "removed"}, {"name", json_text(name)}});
    } else {
      console.print("removed  " + printable(name));
    }
  }
  return {};
}

void print_plan(const GcReport& report, Console& console) {
  if (console.json()) {
    console.print_json({{"kind", "gc"},
                        {"dry_run", true},
                        {"packs_removed", report.packs_removed},
                        {"chunks_removed", report.chunks_removed},
                        {"bytes_before", report.bytes_before}});
    return;
  }
  console.print(fmt::format("would delete or rewrite {}, dropping {}; packs hold {}",
                            counted(report.packs_removed, "pack"),
                            counted(report.chunks_removed, "chunk"),
                            human_bytes(report.bytes_before)));
}

void print_report(const GcReport& report, Console& console) {
  // Rewriting may cost more than it frees: a little garbage, and a new directory of the pack.
  const std::uint64_t freed =
      report.bytes_before - std::min(report.bytes_before, report.bytes_after);
  if (console.json()) {
    console.print_json({{"kind", "gc"},
                        {"dry_run", false},
                        {"packs_removed", report.packs_removed},
                        {"packs_written", report.packs_written},
                        {"chunks_removed", report.chunks_removed},
                        {"bytes_before", report.bytes_before},
                        {"bytes_after", report.bytes_after},
                        {"bytes_freed", freed}});
    return;
  }
  console.print(
      fmt::format("{} of {} freed: {} and {} deleted, {} written", human_bytes(freed),
                  human_bytes(report.bytes_before), counted(report.chunks_removed, "chunk"),
                  counted(report.packs_removed, "pack"), with_commas(report.packs_written)));
}

Result<void> collect(const GcFlags& flags, Console& console) {
  // CLI::Range lets through what is no number at all.
  if (std::isnan(flags.garbage_min_percent)) {
    return std::unexpected(usage_error("--garbage-min is from 0 to 100", "nan"));
  }
  CHUNKER_TRY(Store store, Store::open(flags.store, {.access = StoreAccess::write}));
  const GcOptions options{
      .garbage_min = flags.garbage_min_percent / 100,
      .dry_run = flags.dry_run,
      .on_wait = [&console](ReadersWait wait) { console.note(describe(wait)); },
  };
  CHUNKER_TRY(const GcReport report, collect_garbage(store, options));
  if (flags.dry_run) {
    print_plan(report, console);
  } else {
    print_report(report, console);
  }
  return {};
}

}  // namespace

void add_remove(CLI::App& program, Session& session) {
  auto flags = std::make_shared<RemoveFlags>();
  CLI::App& remove_command = *program.add_subcommand("remove", "Take names out of a store");
  add_words(remove_command, "NAME", flags->names, "Names, with or without .nar")->required();
  add_store(remove_command, flags->store);
  add_json(remove_command, session);
  add_footer(remove_command, kRemoveExamples);
  on_chosen(remove_command, session, [flags, &session] { return remove(*flags, session.console); });

  auto gc_flags = std::make_shared<GcFlags>();
  CLI::App& gc_command = *program.add_subcommand("gc", "Free the room that no NAR needs");
  add_store(gc_command, gc_flags->store);
  gc_command.add_flag("--dry-run", gc_flags->dry_run, "Say what would be done; change nothing");
  gc_command
      .add_option("--garbage-min", gc_flags->garbage_min_percent,
                  "Rewrite packs from this share of garbage on (5)")
      ->option_text("PERCENT")
      ->check(CLI::Range(0.0, 100.0));
  add_json(gc_command, session);
  add_footer(gc_command, kGcExamples);
  on_chosen(gc_command, session,
            [gc_flags, &session] { return collect(*gc_flags, session.console); });
}

}  // namespace chunker::cli
