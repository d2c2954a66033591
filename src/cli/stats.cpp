#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/try.hpp"
#include "cli/bar_table.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
"content" is the size of all NARs together, "stored" is everything in the store's
directory, index included, and the ratio is one by the other. Below is what leads from
one to the other, and what the stored bytes are. The steps add up; how much is due to
duplicates is known about, because lists of manifests and what nobody needs until
`chunker gc` are kept among the chunks.

Examples:
  chunker stats --store /srv/nars
  chunker stats --store /srv/nars --json | jq .dedup_ratio
)";

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
          {"duplicate_bytes", stats.duplicate_bytes()},
          {"surplus_bytes", stats.surplus_bytes()},
          {"delta_raw_bytes", stats.delta_raw_bytes},
          {"delta_stored_bytes", stats.delta_stored_bytes},
          {"compressed_raw_bytes", stats.compressed_raw_bytes},
          {"compressed_stored_bytes", stats.compressed_stored_bytes},
          {"uncompressed_bytes", stats.uncompressed_bytes},
          {"manifest_bytes", stats.manifest_bytes},
          {"other_bytes", stats.other_bytes()},
          {"missing_bytes", stats.missing_bytes},
          {"layout", name(store.layout())},
          {"hash", store.hash().name()},
          {"algorithms", json_of(stats.algorithms)}};
}

std::string bytes_row(std::string_view label, std::uint64_t bytes) {
  return fmt::format("{:<8} {:>12}  {} bytes", label, human_bytes(bytes), with_commas(bytes));
}

void print_figures(const StoreStats& stats, const Store& store, Console& console) {
  console.print(fmt::format("{:<8} {:>12}  {} distinct", "NARs", with_commas(stats.nars),
                            with_commas(stats.unique_nars)));
  console.print(bytes_row("content", stats.logical_bytes));
  console.print(bytes_row("stored", stats.stored_bytes));
  console.print(fmt::format("{:<8} {:>12.2f}  content / stored", "ratio", stats.dedup_ratio()));
  console.print(fmt::format("{:<8} {:>12}  kept, named by {}, for {} places in NARs", "chunks",
                            with_commas(stats.unique_chunks), store.hash().name(),
                            with_commas(stats.chunks)));
  console.print(fmt::format("{:<8} {:>12}  {} of {}", name(store.layout()),
                            with_commas(stats.packs), stats.packs == 1 ? "file" : "files",
                            human_bytes(stats.pack_bytes)));
}

// From content to stored.
std::string steps_of(const StoreStats& stats) {
  Staircase steps("content", stats.logical_bytes);
  steps.step("duplicates", stats.duplicate_bytes(), 0);
  steps.step("beyond content", 0, stats.surplus_bytes());
  steps.step("deltas", stats.delta_raw_bytes, stats.delta_stored_bytes);
  steps.step("compression", stats.compressed_raw_bytes, stats.compressed_stored_bytes);
  steps.step("manifests, index", 0, stats.manifest_bytes + stats.index_bytes);
  steps.step("other", 0, stats.other_bytes());
  steps.step("missing", stats.missing_bytes, 0);
  return std::move(steps).finish("stored");
}

void explain_steps(const StoreStats& stats, Console& console) {
  if (stats.duplicate_bytes() != 0) {
    console.print(fmt::format("Chunks that come again are kept once: about {} less.",
                              human_bytes(stats.duplicate_bytes())));
  }
  if (stats.surplus_bytes() != 0) {
    console.print(
        fmt::format("{} is kept beyond what NARs hold: what `chunker gc` may free, lists.",
                    human_bytes(stats.surplus_bytes())));
  }
  if (stats.delta_raw_bytes != 0) {
    console.print(fmt::format("{} is kept as what differs from other chunks, which takes {}.",
                              human_bytes(stats.delta_raw_bytes),
                              human_bytes(stats.delta_stored_bytes)));
  }
  if (stats.compressed_raw_bytes != 0) {
    console.print(fmt::format("{} is compressed to {}.", human_bytes(stats.compressed_raw_bytes),
                              human_bytes(stats.compressed_stored_bytes)));
  }
  if (stats.uncompressed_bytes != 0) {
    console.print(fmt::format("{} would not get smaller, and is kept as it is.",
                              human_bytes(stats.uncompressed_bytes)));
  }
  if (stats.missing_bytes != 0) {
    console.print(fmt::format("{} is not where the index has it: `chunker verify` tells more.",
                              human_bytes(stats.missing_bytes)));
  }
}

std::string parts_of(const StoreStats& stats) {
  BarTable parts(stats.stored_bytes);
  std::uint64_t end = 0;
  const auto add = [&](std::string_view label, std::uint64_t bytes) {
    parts.add(label, end, end + bytes, '#');
    end += bytes;
  };
  add("compressed", stats.compressed_stored_bytes);
  add("deltas", stats.delta_stored_bytes);
  add("as it is", stats.uncompressed_bytes);
  add("manifests", stats.manifest_bytes);
  add("index", stats.index_bytes);
  add("other", stats.other_bytes());
  return parts.text();
}

void print_pictures(const StoreStats& stats, Console& console) {
  console.print("\nFrom content to what is stored:\n");
  console.print(steps_of(stats) + "\n");
  explain_steps(stats, console);
  console.print("\nWhat the stored bytes are:\n");
  console.print(parts_of(stats));
}

Result<void> stats(const std::string& directory, Console& console) {
  CHUNKER_TRY(const Store store, Store::open(directory));
  CHUNKER_TRY(const StoreStats figures, store.stats());
  if (console.json()) {
    console.print_json(object_of(figures, store));
  } else {
    print_figures(figures, store, console);
    print_pictures(figures, console);
  }
  return {};
}

}  // namespace

void add_stats(CLI::App& program, Session& session) {
  auto store = std::make_shared<std::string>();
  CLI::App& command = *program.add_subcommand("stats", "Show what a store holds and saves");
  add_store(command, *store);
  add_json(command, session);
  add_footer(command, kExamples);
  on_chosen(command, session, [store, &session] { return stats(*store, session.console); });
}

}  // namespace chunker::cli
