#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_set>

#include "base/try.hpp"
#include "chunker/batch.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
Compares chunk by chunk: what storing the second costs once the first is there. With
a store, A and B are names in it if it has them, and files otherwise. In the picture
each sign is a piece of the archive, from its beginning to its end: # is shared,
+ half or more of it, - less, . nothing.

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
};

// One of the two: its chunks and, once compared, which of them the other has.
struct Side {
  std::string name;
  bool stored = false;
  std::uint64_t bytes = 0;
  Recipe recipe{};
  std::vector<ChunkExtent> extents{};
  std::vector<Digest> digests{};
  std::vector<NarEntry> entries{};

  std::vector<bool> shared{};
  std::uint64_t shared_bytes = 0;
  std::uint64_t unique_bytes = 0;  // each distinct chunk of it alone counted once: what it adds
  std::uint64_t unique_chunks = 0;
};

Side side_of(std::string name, Manifest manifest) {
  Side side{.name = std::move(name),
            .stored = true,
            .bytes = manifest.nar_bytes,
            .recipe = manifest.recipe,
            .entries = std::move(manifest.entries)};
  std::uint64_t offset = 0;
  for (const ChunkReference& chunk : manifest.chunks) {
    side.extents.push_back({offset, chunk.size_bytes});
    side.digests.push_back(chunk.digest);
    offset += chunk.size_bytes;
  }
  return side;
}

Side side_of(FileChunks file, const Recipe& recipe) {
  return {.name = file.path.native(),
          .bytes = file.bytes,
          .recipe = recipe,
          .extents = std::move(file.extents),
          .digests = std::move(file.digests),
          .entries = std::move(file.entries)};
}

Result<Side> cut_side(const std::string& path, const ChunkingOptions& chunking, HashAlgorithm hash,
                      std::stop_token stop) {
  const std::string readable = path == "-" ? "/dev/stdin" : path;
  CHUNKER_TRY(
      BatchStream results,
      batch_chunk_files({readable}, chunking, {.hash = std::move(hash), .stop = std::move(stop)}));
  auto result = results.next();
  if (!result) return std::unexpected(Error{ErrorCode::cancelled, "stopped on request"});
  CHUNKER_TRY(FileChunks file, std::move(result->chunks));
  file.path = label_of(path);
  return side_of(std::move(file), chunking.recipe);
}

// A name in the store, if there is a store and it has it.
Result<std::optional<Side>> stored_side(const Store* store, const std::string& name) {
  if (store == nullptr || name == "-") return std::nullopt;
  auto nar = find_nar(*store, name);
  if (!nar && nar.error().code == ErrorCode::store_not_found) return std::nullopt;
  if (!nar) return std::unexpected(std::move(nar).error());
  CHUNKER_TRY(Manifest manifest, store->manifest(nar->nar_sha256));
  return side_of(nar->name, std::move(manifest));
}

Result<std::array<Side, 2>> read_sides(const DiffFlags& flags, std::stop_token stop) {
  if (flags.a == "-" && flags.b == "-") {
    return std::unexpected(usage_error("standard input can be read only once"));
  }
  std::optional<Store> store;
  if (!flags.store.empty()) {
    CHUNKER_TRY(store, Store::open(flags.store));
  }
  const Store* const from = store ? &*store : nullptr;
  CHUNKER_TRY(auto a, stored_side(from, flags.a));
  CHUNKER_TRY(auto b, stored_side(from, flags.b));
  CHUNKER_TRY(ChunkingOptions chunking, flags.recipe.chunking());
  // Chunks meet only if they were cut alike and named alike.
  const HashAlgorithm hash = store ? store->hash() : HashAlgorithm::blake3();
  if (!flags.recipe.given() && (a || b)) chunking.recipe = a ? a->recipe : b->recipe;
  if (!a) {
    CHUNKER_TRY(a, cut_side(flags.a, chunking, hash, stop));
  }
  if (!b) {
    CHUNKER_TRY(b, cut_side(flags.b, chunking, hash, stop));
  }
  return std::array{std::move(*a), std::move(*b)};
}

void compare(Side& side, const Side& other) {
  const std::unordered_set<Digest> others(other.digests.begin(), other.digests.end());
  std::unordered_set<Digest> counted;
  for (std::size_t i = 0; i < side.digests.size(); ++i) {
    const bool shared = others.contains(side.digests[i]);
    side.shared.push_back(shared);
    if (shared) {
      side.shared_bytes += side.extents[i].size_bytes;
    } else if (counted.insert(side.digests[i]).second) {
      side.unique_bytes += side.extents[i].size_bytes;
      ++side.unique_chunks;
    }
  }
}

std::uint64_t overlap(const ChunkExtent& a, const ChunkExtent& b) {
  const std::uint64_t begin = std::max(a.offset_bytes, b.offset_bytes);
  const std::uint64_t end = std::min(a.offset_bytes + a.size_bytes, b.offset_bytes + b.size_bytes);
  return end > begin ? end - begin : 0;
}

std::string picture_of(const Side& side) {
  constexpr std::uint64_t kCells = 64;
  std::string picture;
  for (std::uint64_t cell = 0; cell < kCells; ++cell) {
    const std::uint64_t begin = side.bytes * cell / kCells;
    const ChunkExtent piece{begin, side.bytes * (cell + 1) / kCells - begin};
    std::uint64_t shared = 0;
    for (std::size_t i = 0; i < side.extents.size(); ++i) {
      if (side.shared[i]) shared += overlap(piece, side.extents[i]);
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
std::vector<Difference> largest_differences(const Side& side) {
  constexpr std::size_t kShown = 5;
  const auto ranges = map_chunks_to_entries(side.extents, side.entries);
  std::vector<Difference> found;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto [first, end] = ranges[i];
    for (std::size_t at = first; !side.shared[i] && at < end; ++at) {
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

Json object_of(const Side& side) {
  Json differences = Json::array();
  for (const auto& difference : largest_differences(side)) {
    differences.push_back({{"path", json_text(difference.path)}, {"bytes", difference.bytes}});
  }
  return {{"name", json_text(side.name)},
          {"stored", side.stored},
          {"bytes", side.bytes},
          {"chunks", side.extents.size()},
          {"shared_bytes", side.shared_bytes},
          {"shared_chunks", std::ranges::count(side.shared, true)},
          {"unique_bytes", side.unique_bytes},
          {"unique_chunks", side.unique_chunks},
          {"largest_differences", std::move(differences)},
          {"recipe", json_of(side.recipe)}};
}

void print_side(char letter, const Side& side, Console& console) {
  console.print(
      fmt::format("{}  {}{}", letter, printable(side.name), side.stored ? " (stored)" : ""));
  console.print(fmt::format("   {}, {}; {} shared ({}), {} in {} of its own",
                            human_bytes(side.bytes), counted(side.extents.size(), "chunk"),
                            human_bytes(side.shared_bytes), percent(side.shared_bytes, side.bytes),
                            human_bytes(side.unique_bytes), counted(side.unique_chunks, "chunk")));
  console.print("   [" + picture_of(side) + "]");
  for (const auto& difference : largest_differences(side)) {
    console.print(fmt::format("   {:>10} differ in {}", human_bytes(difference.bytes),
                              difference.path.empty() ? "the file" : printable(difference.path)));
  }
}

Result<void> diff(const DiffFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  Console& console = session.console;
  CHUNKER_TRY(auto sides, read_sides(flags, session.stop.get_token()));
  auto& [a, b] = sides;
  compare(a, b);
  compare(b, a);
  const bool same_recipe = a.recipe == b.recipe;
  if (console.json()) {
    console.print_json(
        {{"kind", "diff"}, {"same_recipe", same_recipe}, {"a", object_of(a)}, {"b", object_of(b)}});
    return {};
  }
  print_side('A', a, console);
  print_side('B', b, console);
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
  add_footer(command, kExamples);
  on_chosen(command, session, [flags, &session] { return diff(*flags, session); });
}

}  // namespace chunker::cli
