#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/try.hpp"
#include "cli/bar_table.hpp"
#include "cli/commands.hpp"
#include "cli/diff_side.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Compares chunk by chunk: what storing the second costs once the first is there. With
a store, A and B are names in it if it has them, and files otherwise. In the picture
each sign is a piece of the archive, from its beginning to its end: # is shared,
+ half or more of it, - less, . nothing. Below is what B is made of: a chunk that
differs only in references (the hashes behind /nix/store/) is shared all the same.

Examples:
  chunker diff hello-2.10.nar hello-2.12.nar
  chunker diff --chunk-sizes 16K:64K:256K hello-2.10.nar hello-2.12.nar
  chunker diff --store /srv/nars hello-2.10 hello-2.12 --json
)";

struct DiffFlags {
  std::string a;
  std::string b;
  std::string store;
  RecipeFlags recipe;
  ReferenceFlags references;
};

Result<std::array<DiffSide, 2>> read_sides(const DiffFlags& flags, const Store* store,
                                           const std::stop_token& stop) {
  CHUNKER_TRY(auto a, stored_side(store, flags.a));
  CHUNKER_TRY(auto b, stored_side(store, flags.b));
  // Chunks meet only if they were cut alike and named alike.
  DiffCut cut{.hash = store != nullptr ? store->hash() : HashAlgorithm::blake3()};
  CHUNKER_TRY(cut.chunking, flags.recipe.chunking());
  CHUNKER_TRY(cut.store_prefix, flags.references.prefix());
  if (!flags.recipe.given() && (a || b)) cut.chunking.recipe = a ? a->recipe : b->recipe;
  if (!a) {
    CHUNKER_TRY(a, cut_side(flags.a, cut, stop));
  }
  if (!b) {
    CHUNKER_TRY(b, cut_side(flags.b, cut, stop));
  }
  return std::array{std::move(*a), std::move(*b)};
}

std::uint64_t overlap(const ChunkExtent& a, const ChunkExtent& b) {
  const std::uint64_t begin = std::max(a.offset_bytes, b.offset_bytes);
  const std::uint64_t end = std::min(a.offset_bytes + a.size_bytes, b.offset_bytes + b.size_bytes);
  return end > begin ? end - begin : 0;
}

std::string picture_of(const DiffSide& side) {
  constexpr std::uint64_t kCells = 64;
  std::string picture;
  for (std::uint64_t cell = 0; cell < kCells; ++cell) {
    const std::uint64_t begin = side.bytes * cell / kCells;
    const ChunkExtent piece{begin, side.bytes * (cell + 1) / kCells - begin};
    std::uint64_t shared = 0;
    for (std::size_t i = 0; i < side.extents.size(); ++i) {
      if (side.shared(i)) shared += overlap(piece, side.extents[i]);
    }
    const bool half = shared >= (piece.size_bytes + 1) / 2;
    picture += shared == piece.size_bytes ? '#' : shared == 0 ? '.' : half ? '+' : '-';
  }
  return picture;
}

struct Difference {
  std::string path;
  std::uint64_t bytes = 0;
};

// The entries with the most bytes in chunks that the other side lacks.
std::vector<Difference> largest_differences(const DiffSide& side) {
  constexpr std::size_t kShown = 5;
  const auto ranges = map_chunks_to_entries(side.extents, side.entries);
  std::vector<Difference> found;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto [first, end] = ranges[i];
    for (std::size_t at = first; !side.shared(i) && at < end; ++at) {
      const NarEntry& entry = side.entries[at];
      const auto bytes = overlap({entry.offset_bytes, entry.size_bytes}, side.extents[i]);
      if (bytes == 0) continue;
      if (found.empty() || found.back().path != entry.path) found.push_back({entry.path, 0});
      found.back().bytes += bytes;
    }
  }
  const auto shown = std::min(kShown, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(shown),
                            std::ranges::greater{}, &Difference::bytes);
  found.resize(shown);
  return found;
}

std::uint64_t shared_bytes(const DiffSide& side) {
  return side.bytes_of(Fate::same) + side.bytes_of(Fate::references_only);
}

Json object_of(const DiffSide& side, const std::optional<KeptBytes>& kept) {
  Json differences = Json::array();
  for (const auto& difference : largest_differences(side)) {
    differences.push_back({{"path", json_text(difference.path)}, {"bytes", difference.bytes}});
  }
  Json object{
      {"name", json_text(side.name)},
      {"stored", side.stored},
      {"bytes", side.bytes},
      {"chunks", side.extents.size()},
      {"references", side.references.positions.size()},
      {"shared_bytes", shared_bytes(side)},
      {"shared_chunks", side.chunks_of(Fate::same) + side.chunks_of(Fate::references_only)},
      {"references_only_bytes", side.bytes_of(Fate::references_only)},
      {"references_only_chunks", side.chunks_of(Fate::references_only)},
      {"unique_bytes", side.bytes_of(Fate::fresh)},
      {"unique_chunks", side.chunks_of(Fate::fresh)},
      {"repeated_bytes", side.bytes_of(Fate::repeated)},
  };
  if (kept) {
    object.update({{"unique_stored_bytes", kept->stored},
                   {"unique_delta_raw_bytes", kept->delta_raw},
                   {"unique_delta_stored_bytes", kept->delta_stored}});
  }
  object.update(
      {{"largest_differences", std::move(differences)}, {"recipe", json_of(side.recipe)}});
  return object;
}

void print_side(char letter, const DiffSide& side, Console& console) {
  console.print(
      fmt::format("{}  {}{}", letter, printable(side.name), side.stored ? " (stored)" : ""));
  const std::uint64_t shared = shared_bytes(side);
  console.print(fmt::format(
      "   {}, {}; {} shared ({}), {} in {} of its own", human_bytes(side.bytes),
      counted(side.extents.size(), "chunk"), human_bytes(shared), percent(shared, side.bytes),
      human_bytes(side.bytes_of(Fate::fresh)), counted(side.chunks_of(Fate::fresh), "chunk")));
  console.print("   [" + picture_of(side) + "]");
  for (const auto& difference : largest_differences(side)) {
    console.print(fmt::format("   {:>10} differ in {}", human_bytes(difference.bytes),
                              difference.path.empty() ? "the file" : printable(difference.path)));
  }
}

// What B is made of, seen from A.
void print_parts(const DiffSide& b, Console& console) {
  BarTable parts(b.bytes);
  parts.add("B", 0, b.bytes, '#');
  std::uint64_t end = 0;
  const auto add = [&](std::string_view label, Fate fate, char sign) {
    const std::uint64_t bytes = b.bytes_of(fate);
    parts.add(label, end, end + bytes, sign);
    end += bytes;
  };
  add("the same in A", Fate::same, '=');
  add("other references", Fate::references_only, '~');
  add("new", Fate::fresh, '+');
  add("new, and again", Fate::repeated, '-');
  console.print("\nB, seen from A:\n");
  console.print(parts.text());
}

void explain_parts(const DiffSide& a, const DiffSide& b, const std::optional<KeptBytes>& kept,
                   Console& console) {
  console.print("");
  const auto has = [&b](Fate fate) { return b.bytes_of(fate) != 0; };
  if (has(Fate::same)) {
    console.print(fmt::format("{} of B is in A as it is, chunk for chunk.",
                              human_bytes(b.bytes_of(Fate::same))));
  }
  if (has(Fate::references_only)) {
    console.print(fmt::format("{} is in A but for store hashes, which are kept apart.",
                              human_bytes(b.bytes_of(Fate::references_only))));
  }
  if (const auto [of_a, of_b] =
          std::pair{a.references.positions.size(), b.references.positions.size()};
      of_a + of_b != 0) {
    console.print(
        fmt::format("A has {}, B has {}.", counted(of_a, "reference"), counted(of_b, "reference")));
  }
  if (!has(Fate::fresh)) return console.print("Nothing in B is new.");
  const std::uint64_t fresh = b.bytes_of(Fate::fresh);
  console.print(fmt::format(
      "{} in {} is new{}", human_bytes(fresh), counted(b.chunks_of(Fate::fresh), "chunk"),
      kept ? fmt::format("; the store keeps it in about {}.", human_bytes(kept->stored)) : "."));
  if (kept && kept->delta_raw != 0) {
    console.print(fmt::format("{} of that is kept as deltas, which take about {}.",
                              human_bytes(kept->delta_raw), human_bytes(kept->delta_stored)));
  }
}

Result<void> diff(const DiffFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  Console& console = session.console;
  if (flags.a == "-" && flags.b == "-") {
    return std::unexpected(usage_error("standard input can be read only once"));
  }
  std::optional<Store> store;
  if (!flags.store.empty()) {
    CHUNKER_TRY(store, Store::open(flags.store));
  }
  CHUNKER_TRY(auto sides, read_sides(flags, store ? &*store : nullptr, session.stop.get_token()));
  auto& [a, b] = sides;
  compare(a, b);
  const auto kept_of = [&store](const DiffSide& side) -> Result<std::optional<KeptBytes>> {
    if (!side.stored) return std::nullopt;
    return kept_bytes(*store, side);
  };
  CHUNKER_TRY(const auto kept_a, kept_of(a));
  CHUNKER_TRY(const auto kept_b, kept_of(b));
  const bool same_recipe = a.recipe == b.recipe;
  if (console.json()) {
    console.print_json({{"kind", "diff"},
                        {"same_recipe", same_recipe},
                        {"a", object_of(a, kept_a)},
                        {"b", object_of(b, kept_b)}});
    return {};
  }
  print_side('A', a, console);
  print_side('B', b, console);
  print_parts(b, console);
  explain_parts(a, b, kept_b, console);
  if (!same_recipe) {
    console.note(fmt::format("A was cut by {}, B by {}: equal bytes may not meet",
                             describe(a.recipe), describe(b.recipe)));
  }
  return {};
}

}  // namespace

void add_diff(CLI::App& program, Session& session) {
  auto flags = std::make_shared<DiffFlags>();
  CLI::App& command = *program.add_subcommand("diff", "Show what two NARs share");
  add_word(command, "A", flags->a, "A NAR file, or a name in the store; - is standard input")
      ->required();
  add_word(command, "B", flags->b, "Another")->required();
  add_store(command, flags->store)->required(false);
  add_json(command, session);
  flags->recipe.add_to(command);
  flags->references.add_to(command);
  add_footer(command, kExamples);
  on_chosen(command, session, [flags, &session] { return diff(*flags, session); });
}

}  // namespace chunker::cli
