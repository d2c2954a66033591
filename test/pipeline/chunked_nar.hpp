#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/chunking.hpp"
#include "cut/cuts.hpp"
#include "cut/vectors.hpp"
#include "pipeline/made_contents.hpp"

// NARs made from a few words, as in tools/reference_cut.py, and their chunks.
namespace chunker {

using cut::all_at_once;
using cut::PieceSize;
using cut::random_pieces;
using Json = nlohmann::ordered_json;

inline void append_string(std::string& nar, std::string_view text) {
  for (int shift = 0; shift < 64; shift += 8)
    nar.push_back(static_cast<char>(text.size() >> shift));
  nar.append(text).append((8 - text.size() % 8) % 8, '\0');
}

inline void append_strings(std::string& nar, std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) append_string(nar, text);
}

// As in tools/reference_cut.py: a number is a file's size (negative: executable), a list its kind, size and head;
// a string is a symlink.
inline void append_node(std::string& nar, const Json& node) {
  append_string(nar, "(");
  if (node.is_number()) {
    const auto size = node.get<std::int64_t>();
    append_strings(nar, {"type", "regular"});
    if (size < 0) append_strings(nar, {"executable", ""});
    const auto bytes = static_cast<std::size_t>(std::abs(size));
    append_strings(nar, {"contents", text_of(cut::xorshift(bytes, bytes + 1))});
  } else if (node.is_array()) {
    append_strings(nar, {"type", "regular", "contents", contents_of(node)});
  } else if (node.is_string()) {
    append_strings(nar, {"type", "symlink", "target", node.get<std::string>()});
  } else {
    append_strings(nar, {"type", "directory"});
    for (const auto& [name, child] : node.items()) {
      append_strings(nar, {"entry", "(", "name", name, "node"});
      append_node(nar, child);
      append_string(nar, ")");
    }
  }
  append_string(nar, ")");
}

inline std::string make_nar(const Json& tree) {
  std::string nar;
  append_string(nar, "nix-archive-1");
  append_node(nar, tree);
  return nar;
}

struct Chunked {
  std::vector<ChunkExtent> chunks;
  std::vector<NarEntry> entries;
  bool is_nar = false;
  std::uint64_t kept_bytes_max = 0;
};

inline Result<Chunked> chunk(const Recipe& recipe, std::string_view bytes,
                             const PieceSize& piece_size) {
  NarAwareChunker chunker(ChunkingOptions{recipe}.resolve().value());
  Chunked result;
  const auto done = [&result] {
    return result.chunks.empty()
               ? 0
               : result.chunks.back().offset_bytes + result.chunks.back().size_bytes;
  };
  for (std::size_t seen = 0; seen != bytes.size();) {
    const std::string_view piece = bytes.substr(seen, piece_size());
    // A copy of the exact size, so that a sanitizer sees whoever reads what was not yet fed.
    const std::string copy(piece);
    if (const auto fed = chunker.feed(bytes_of(copy), result.chunks); !fed)
      return std::unexpected(fed.error());
    seen += piece.size();
    EXPECT_LE(done(), seen);
    result.kept_bytes_max = std::max(result.kept_bytes_max, seen - done());
    EXPECT_LE(seen - done(), chunker.bytes_kept_max());
  }
  if (const auto end = chunker.finish(result.chunks); !end) return std::unexpected(end.error());
  result.entries = std::move(chunker.entries());
  result.is_nar = chunker.is_nar();
  return result;
}

inline std::vector<std::uint64_t> cuts_of(const std::vector<ChunkExtent>& chunks) {
  std::vector<std::uint64_t> cuts;
  for (const ChunkExtent& chunk : chunks) cuts.push_back(chunk.offset_bytes + chunk.size_bytes);
  return cuts;
}

// True for every byte of the NAR that is padding, by the grammar: a string's bytes behind its length.
inline std::vector<bool> padding_of(std::string_view nar) {
  std::vector<bool> padding(nar.size());
  for (std::size_t at = 0; at < nar.size();) {
    std::uint64_t size = 0;
    for (int i = 7; i >= 0; --i)
      size = (size << 8) | static_cast<std::uint8_t>(nar[at + static_cast<std::size_t>(i)]);
    const std::size_t end = at + 8 + size;
    at = (end + 7) / 8 * 8;
    for (std::size_t i = end; i < at; ++i) padding[i] = true;
  }
  return padding;
}

inline Recipe small_recipe(NarMode mode, std::uint64_t min = 64, std::uint64_t avg = 256,
                           std::uint64_t max = 1024) {
  Recipe recipe;
  recipe.min_bytes = min;
  recipe.avg_bytes = avg;
  recipe.max_bytes = max;
  recipe.nar_mode = mode;
  return recipe;
}

inline constexpr NarMode kModes[] = {NarMode::off, NarMode::biased, NarMode::aligned};

// All recipes and trees of the golden vectors.
struct Vectors {
  Json json;
  std::vector<std::string> nars;

  explicit Vectors(const std::string& name) : json(cut::load_vectors(name)) {
    for (const Json& tree : json["trees"]) nars.push_back(make_nar(tree));
  }
};

inline const Vectors& vectors() {
  static const Vectors loaded("nar_cut.json");
  return loaded;
}

inline const Vectors& landmark_vectors() {
  static const Vectors loaded("landmark_cut.json");
  return loaded;
}

}  // namespace chunker
