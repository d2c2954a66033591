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
}

}  // namespace chunker::cli
