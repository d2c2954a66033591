#include <fmt/format.h>

#include <memory>

#include "base/try.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kListExamples = R"(
Columns: when it came in (UTC), size, chunks, the first digits of its SHA-256, name.
`chunker restore` takes the name or the digits.

Examples:
  chunker list --store /srv/nars
  chunker list --store /srv/nars --json | jq -r 'select(.nar_bytes > 1e9) | .name'
  chunker list --store /srv/nars --names -0 | grep -z '^old-' |
      xargs -0 chunker remove --store /srv/nars --
)";

constexpr std::string_view kStatsExamples = R"(
"content" is the size of all NARs together, "stored" is everything in the store's
directory, index included, and the ratio is one by the other.

Examples:
  chunker stats --store /srv/nars
  chunker stats --store /srv/nars --json | jq .dedup_ratio
)";

struct ListFlags {
  std::string store;
  bool names = false;
  bool null_separated = false;
};

Json object_of(const StoredNar& nar) {
  return {{"kind", "nar"},
          {"name", json_text(nar.name)},
          {"nar_sha256", nar.nar_sha256.hex()},
          {"nar_hash", nix_hash(nar.nar_sha256)},
          {"nar_bytes", nar.nar_bytes},
          {"chunks", nar.chunk_count},
          {"added", utc_time(nar.added_unix_seconds)},
          {"added_unix_seconds", nar.added_unix_seconds}};
}

std::string row_of(const StoredNar& nar) {
  constexpr std::size_t kDigitsShown = 12;
  return fmt::format("{}  {:>10}  {:>7}  {}  {}", utc_time(nar.added_unix_seconds),
                     human_bytes(nar.nar_bytes), nar.chunk_count,
                     nar.nar_sha256.hex().substr(0, kDigitsShown), printable(nar.name));
}

Result<void> list(const ListFlags& flags, Console& console) {
  CHUNKER_TRY(const Store store, Store::open(flags.store));
  return store.list([&](const StoredNar& nar) -> Result<void> {
    if (console.json()) {
      console.print_json(object_of(nar));
    } else if (flags.null_separated) {
      console.print(nar.name, '\0');
    } else if (flags.names) {
      console.print(nar.name);
    } else {
      console.print(row_of(nar));
    }
    return {};
  });
}

Json object_of(const StoreStats& stats, const Store& store) {
  return {{"kind", "stats"},
          {"nars", stats.nars},
          {"unique_nars", stats.unique_nars},
          {"logical_bytes", stats.logical_bytes},
          {"stored_bytes", stats.stored_bytes},
          {"dedup_ratio", stats.dedup_ratio()},
          {"chunks", stats.chunks},
          {"unique_chunks", stats.unique_chunks},
          {"unique_raw_bytes", stats.unique_raw_bytes},
          {"packs", stats.packs},
          {"pack_bytes", stats.pack_bytes},
          {"index_bytes", stats.index_bytes},
          {"layout", name(store.layout())},
          {"hash", store.hash().name()}};
}

std::string bytes_row(std::string_view label, std::uint64_t bytes, std::string_view more = {}) {
  return fmt::format("{:<8} {:>12}  {} bytes{}", label, human_bytes(bytes), with_commas(bytes),
                     more);
}

void print_table(const StoreStats& stats, const Store& store, Console& console) {
  console.print(fmt::format("{:<8} {:>12}  {} distinct", "NARs", with_commas(stats.nars),
                            with_commas(stats.unique_nars)));
  console.print(bytes_row("content", stats.logical_bytes));
  console.print(bytes_row("stored", stats.stored_bytes));
  console.print(fmt::format("{:<8} {:>12.2f}  content / stored", "ratio", stats.dedup_ratio()));
  console.print(fmt::format("{:<8} {:>12}  kept, for {} places in NARs", "chunks",
                            with_commas(stats.unique_chunks), with_commas(stats.chunks)));
  console.print(bytes_row("unpacked", stats.unique_raw_bytes, " in the chunks kept"));
  console.print(bytes_row("packs", stats.pack_bytes, " in " + counted(stats.packs, "file")));
  console.print(bytes_row("index", stats.index_bytes));
  console.print(fmt::format("{:<8} {:>12}  chunks named by {}", "layout", name(store.layout()),
                            store.hash().name()));
}

Result<void> stats(const std::string& directory, Console& console) {
  CHUNKER_TRY(const Store store, Store::open(directory));
  CHUNKER_TRY(const StoreStats figures, store.stats());
  if (console.json()) {
    console.print_json(object_of(figures, store));
  } else {
    print_table(figures, store, console);
  }
  return {};
}

}  // namespace

void add_list(CLI::App& program, Session& session) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App& list_command = *program.add_subcommand("list", "Show the NARs of a store");
  add_store(list_command, flags->store);
  list_command.add_flag("--names", flags->names, "Names only, one a line, byte for byte");
  list_command.add_flag("-0,--null", flags->null_separated, "Names only, each ended by NUL");
  add_json(list_command, session);
  add_footer(list_command, kListExamples);
  on_chosen(list_command, session, [flags, &session] { return list(*flags, session.console); });

  auto store = std::make_shared<std::string>();
  CLI::App& stats_command = *program.add_subcommand("stats", "Show what a store holds and saves");
  add_store(stats_command, *store);
  add_json(stats_command, session);
  add_footer(stats_command, kStatsExamples);
  on_chosen(stats_command, session, [store, &session] { return stats(*store, session.console); });
}

}  // namespace chunker::cli
