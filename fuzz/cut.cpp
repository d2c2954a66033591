#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "chunker/bytes.hpp"
#include "cut/algorithms.hpp"
#include "cut/gear.hpp"
#include "cut/splitter.hpp"

// Whatever the kernel and however the input is split, the cuts must be those of the definition, and the
// chunks those of the input in one piece.

namespace {

using namespace chunker;

// Takes its decisions from the front of the fuzzer's input; what is left is the stream to cut.
class Choices {
 public:
  explicit Choices(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t below(std::uint64_t bound) {
    std::uint64_t value = 0;
    for (int i = 0; i < 3 && !bytes_.empty(); ++i, bytes_ = bytes_.subspan(1)) {
      value = (value << 8) | static_cast<std::uint64_t>(bytes_.front());
    }
    return value % bound;
  }
  Bytes rest() const { return bytes_; }

 private:
  Bytes bytes_;
};

Recipe choose_recipe(Choices& choices) {
  Recipe recipe;
  recipe.algorithm = static_cast<ChunkingAlgorithm>(1 + choices.below(3));
  recipe.min_bytes = 64 + choices.below(3000);
  recipe.avg_bytes = std::max<std::uint64_t>(256, recipe.min_bytes + 64 + choices.below(70000));
  recipe.max_bytes = std::max<std::uint64_t>(1024, recipe.avg_bytes + choices.below(100000));
  recipe.normalization = static_cast<std::uint8_t>(choices.below(4));
  recipe.seed =
      recipe.algorithm == ChunkingAlgorithm::fast_cdc ? choices.below(3) * 0x123456789abcdef : 0;
  recipe.nar_mode = static_cast<NarMode>(choices.below(3));
  recipe.header_chunk = choices.below(2) == 1;
  recipe.prefer_sections = choices.below(2) == 1;
  recipe.dedup_hint = choices.below(2) == 1;
  recipe.prefer_definitions = choices.below(2) == 1;
  recipe.prefer_lines = choices.below(2) == 1;
  return recipe;
}

// The fuzzer's bytes over and over, the repetitions changed a little or not at all: vector kernels need
// more input than a fuzzer makes, and periods are what troubles them.
std::vector<std::byte> lengthen(Bytes seed, std::size_t size, std::uint64_t change_every) {
  std::vector<std::byte> bytes(seed.empty() ? 0 : size);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = seed[i % seed.size()];
    if (change_every != 0 && i % change_every == 0)
      bytes[i] ^= static_cast<std::byte>(i / change_every);
  }
  return bytes;
}

// fast_cdc as doc/format/recipe.md says it, on the whole stream.
std::vector<std::uint64_t> cut_by_definition(const Recipe& recipe, Bytes bytes) {
  const auto even = [](std::uint64_t value) { return value / 2 * 2; };
  const cut::GearMasks masks = cut::gear_masks(recipe);
  std::vector<std::uint64_t> cuts;
  for (std::uint64_t start = 0; start < bytes.size();) {
    const std::uint64_t size = std::min<std::uint64_t>(bytes.size() - start, recipe.max_bytes);
    std::uint64_t length = size;
    std::uint64_t hash = 0;
    for (std::uint64_t p = even(recipe.min_bytes); p < even(size) && length == size; ++p) {
      hash =
          2 * hash + (cut::kGearTable[static_cast<std::uint8_t>(bytes[start + p])] ^ recipe.seed);
      const bool before = p < even(recipe.avg_bytes);
      if ((hash & (before ? masks.before_center : masks.after_center)) == 0) length = p;
    }
    cuts.push_back(start += length);
  }
  return cuts;
}

// Calls feed(piece) for all of `bytes`: in one piece without `random`.
template <class Feed>
void in_pieces(Bytes bytes, std::mt19937_64* random, const Feed& feed) {
  while (!bytes.empty()) {
    const std::uint64_t most = random == nullptr ? bytes.size() : (*random)() % 3 == 0 ? 30000 : 90;
    const std::size_t size = random == nullptr ? most : 1 + (*random)() % most;
    feed(bytes.first(std::min(size, bytes.size())));
    bytes = bytes.subspan(std::min(size, bytes.size()));
  }
}

std::vector<std::uint64_t> natural_cuts(cut::AnyCutter cutter, Bytes bytes,
                                        std::mt19937_64* random) {
  std::vector<std::uint64_t> cuts;
  std::uint64_t start = 0;
  std::uint64_t seen = 0;
  in_pieces(bytes, random, [&](Bytes rest) {
    seen += rest.size();
    while (const auto length = cutter.scan(rest)) {
      cuts.push_back(start += *length);
      cutter.restart(seen - rest.size() - start);
    }
  });
  if (start != seen) cuts.push_back(seen);
  return cuts;
}

std::vector<ChunkExtent> split(std::unique_ptr<cut::Splitter> splitter, Bytes bytes,
                               const std::vector<cut::Contents>& contents,
                               std::mt19937_64* random) {
  std::vector<ChunkExtent> chunks;
  auto next = contents.begin();
  std::uint64_t seen = 0;
  in_pieces(bytes, random, [&](Bytes piece) {
    seen += piece.size();
    for (; next != contents.end() && next->offset_bytes < seen; ++next) splitter->add(*next);
    splitter->feed(piece, chunks);
    CHUNKER_CHECK(chunks.empty() || chunks.back().offset_bytes + chunks.back().size_bytes <= seen);
  });
  splitter->finish(chunks);
  return chunks;
}

// Contents as an archive has them: they begin on a word, and something stands before and behind them.
std::vector<cut::Contents> choose_contents(Choices& choices, std::uint64_t stream_bytes) {
  std::vector<cut::Contents> contents;
  for (std::uint64_t at = 0;;) {
    const std::uint64_t offset = at + 8 * (1 + choices.below(60));
    const std::uint64_t size = 1 + choices.below(choices.below(2) == 0 ? 100 : 20000);
    if (contents.size() == 40 || cut::word_ceiling(offset + size) + 16 > stream_bytes)
      return contents;
    contents.push_back({offset, size});
    at = contents.back().padded_end();
  }
}

// Makes some of the contents begin like an executable, with headers that the fuzzer thought of.
void begin_executables(Choices& choices, const std::vector<cut::Contents>& contents,
                       std::vector<std::byte>& bytes) {
  constexpr std::string_view kMagics[] = {"", "\x7f\x45\x4c\x46\x02\x01",
                                          "\x7f\x45\x4c\x46\x01\x02", "\xcf\xfa\xed\xfe"};
  for (const cut::Contents& file : contents) {
    const Bytes magic = bytes_of(kMagics[choices.below(std::size(kMagics))]);
    const Bytes headers = choices.rest();
    const auto space = std::span(bytes).subspan(file.offset_bytes, file.size_bytes);
    if (magic.empty() || space.size() < magic.size() + headers.size()) continue;
    std::ranges::copy(magic, space.begin());
    std::ranges::copy(headers, space.begin() + static_cast<std::ptrdiff_t>(magic.size()));
  }
}

void check_chunks(const std::vector<ChunkExtent>& chunks, const Recipe& recipe,
                  std::uint64_t bytes) {
  std::uint64_t end = 0;
  for (const ChunkExtent& chunk : chunks) {
    CHUNKER_CHECK(chunk.offset_bytes == end && chunk.size_bytes != 0 &&
                  chunk.size_bytes <= recipe.max_bytes);
    end += chunk.size_bytes;
  }
  CHUNKER_CHECK(end == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(std::as_bytes(std::span(data, size)));
  const Recipe recipe = choose_recipe(choices);
  const auto algorithm = cut::validated_algorithm(recipe);
  CHUNKER_CHECK(algorithm.has_value());
  std::mt19937_64 random(choices.below(1 << 24));
  const std::uint64_t change_every = choices.below(5000);
  const std::size_t stream_bytes = cut::word_floor(choices.below(200000));
  const auto contents = choose_contents(choices, stream_bytes);
  auto bytes = lengthen(choices.rest(), stream_bytes, change_every);
  if (!bytes.empty()) begin_executables(choices, contents, bytes);

  const cut::AnyCutter scalar = (*algorithm)->make(recipe, cut::kernels().front());
  const auto cuts = natural_cuts(scalar, bytes, nullptr);
  if (recipe.algorithm == ChunkingAlgorithm::fast_cdc)
    CHUNKER_CHECK(cuts == cut_by_definition(recipe, bytes));
  const auto known = bytes.empty() ? std::vector<cut::Contents>{} : contents;
  const auto chunks = split(cut::make_nar_splitter(recipe, scalar), bytes, known, nullptr);
  check_chunks(chunks, recipe, bytes.size());
  const auto plain = split(cut::make_plain_splitter(recipe, scalar), bytes, {}, nullptr);
  check_chunks(plain, recipe, bytes.size());

  const base::CpuFeatures cpu = base::detect_cpu_features();
  for (const cut::CutKernel& kernel : cut::kernels()) {
    if (!kernel.runs_on(cpu)) continue;
    const cut::AnyCutter cutter = (*algorithm)->make(recipe, kernel);
    CHUNKER_CHECK(natural_cuts(cutter, bytes, nullptr) == cuts);
    CHUNKER_CHECK(natural_cuts(cutter, bytes, &random) == cuts);
    CHUNKER_CHECK(split(cut::make_nar_splitter(recipe, cutter), bytes, known, &random) == chunks);
    CHUNKER_CHECK(split(cut::make_plain_splitter(recipe, cutter), bytes, {}, &random) == plain);
  }
  return 0;
}
