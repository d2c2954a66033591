#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/recipe.hpp"

// What tools/reference_cut.py describes as the golden vectors' inputs and folds, once more in C++.
namespace chunker::cut {

inline nlohmann::ordered_json load_vectors(const std::string& name) {
  std::ifstream file(CHUNKER_SOURCE_DIR "/vectors/" + name);
  return nlohmann::ordered_json::parse(file);
}

inline Recipe recipe_of(const nlohmann::ordered_json& row) {
  static const std::map<std::string, ChunkingAlgorithm> kAlgorithms = {
      {"fast_cdc", ChunkingAlgorithm::fast_cdc},
      {"rabin_karp", ChunkingAlgorithm::rabin_karp},
      {"fixed", ChunkingAlgorithm::fixed}};
  static const std::map<std::string, NarMode> kModes = {
      {"off", NarMode::off}, {"biased", NarMode::biased}, {"aligned", NarMode::aligned}};
  Recipe recipe;
  recipe.algorithm = kAlgorithms.at(row.at("algorithm"));
  recipe.min_bytes = row.at("min_bytes");
  recipe.avg_bytes = row.at("avg_bytes");
  recipe.max_bytes = row.at("max_bytes");
  recipe.normalization = row.at("normalization");
  recipe.seed = std::stoull(row.at("seed").get<std::string>());
  recipe.nar_mode = kModes.at(row.at("nar_mode"));
  recipe.header_chunk = row.at("header_chunk");
  recipe.prefer_sections = row.value("prefer_sections", false);
  recipe.dedup_hint = row.value("dedup_hint", false);
  recipe.prefer_definitions = row.value("prefer_definitions", false);
  recipe.prefer_lines = row.value("prefer_lines", false);
  return recipe;
}

inline std::vector<std::byte> xorshift(std::size_t size, std::uint64_t state) {
  std::vector<std::byte> bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (int shift = 0; shift < 64; shift += 8)
      bytes.push_back(static_cast<std::byte>(state >> shift));
  }
  bytes.resize(size);
  return bytes;
}

inline std::vector<std::byte> make_input(const std::string& kind, std::size_t size) {
  if (kind == "xorshift") return xorshift(size, 0x9e3779b97f4a7c15);
  if (kind == "nibbles") {
    auto bytes = xorshift(size, 0x2545f4914f6cdd1d);
    for (std::byte& byte : bytes) byte &= std::byte{15};
    return bytes;
  }
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    if (kind == "period2" && i % 2 == 1) bytes[i] = std::byte{0xff};
    if (kind == "cycle251") bytes[i] = static_cast<std::byte>(i % 251);
  }
  return bytes;
}

/// FNV-1a of the cuts and then of their count, eight bytes each.
inline std::uint64_t fold(std::uint64_t value, std::vector<std::uint64_t> cuts) {
  cuts.push_back(cuts.size());
  for (const std::uint64_t number : cuts) {
    for (int shift = 0; shift < 64; shift += 8) {
      value = (value ^ ((number >> shift) & 0xff)) * 0x100000001b3;
    }
  }
  return value;
}

inline constexpr std::uint64_t kFoldBegin = 0xcbf29ce484222325;

}  // namespace chunker::cut
