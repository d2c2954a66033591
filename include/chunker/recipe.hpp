#pragma once

#include <cstdint>

#include "chunker/threads.hpp"

namespace chunker {

enum class ChunkingAlgorithm : std::uint8_t {
  fast_cdc = 1,    ///< FastCDC, bit-exact with fastcdc-rs `v2020`.
  rabin_karp = 2,  ///< Rabin fingerprints over a sliding window of 48 bytes.
  fixed = 3,       ///< A cut every avg_bytes.
};

/// What the cutter knows of the NAR around the bytes (doc/format/recipe.md). In all modes no chunk holds
/// nothing but padding (R2.2); in the latter two none begins with it.
enum class NarMode : std::uint8_t {
  off = 0,      ///< Blind: the NAR is a string of bytes.
  biased = 1,   ///< An entry boundary within avg/4 of a natural cut point wins (R1.4).
  aligned = 2,  ///< Contents of files of at least min_bytes always begin and end a chunk.
};

/// Everything that decides cut points. Part of the format: the same recipe and bytes give the same chunks
/// for ever. Bounds: doc/format/recipe.md, checked by ChunkingOptions::resolve().
/// Owns:    nothing; a plain value.
/// Threads: shared.
/// Errors:  none.
/// Cost:    56 bytes.
struct Recipe {
  ChunkingAlgorithm algorithm = ChunkingAlgorithm::fast_cdc;
  std::uint32_t version = 1;  ///< Of the algorithm; only version 1 exists.
  std::uint64_t min_bytes =
      128 * 1024;  ///< No natural cut before; ends of files and streams may be.
  std::uint64_t avg_bytes = 512 * 1024;   ///< What chunk sizes center around; the size if fixed.
  std::uint64_t max_bytes = 2048 * 1024;  ///< No chunk is larger.
  std::uint8_t normalization = 1;  ///< FastCDC normalization level, 0 to 3; others ignore it.
  std::uint64_t seed = 0;  ///< XORed into FastCDC's gear table; 0 is the published one. Others: 0.
  NarMode nar_mode = NarMode::aligned;
  bool header_chunk =
      false;  ///< Everything up to the first file's contents is its own chunk (R1.2).

  // Landmarks: where in the contents of a file a natural cut moves to, if one is near. Off, none moves.
  bool prefer_sections = false;  ///< Boundaries of segments and sections in ELF and Mach-O (R2.3).
  bool dedup_hint = false;       ///< Beginnings of functions in machine code (R2.4).
  bool prefer_definitions = false;  ///< Beginnings of functions and classes in source code (R16.5).
  bool prefer_lines = false;        ///< Beginnings of lines in text (R16.4).

  [[nodiscard]] bool has_landmarks() const noexcept {
    return prefer_sections || dedup_hint || prefer_definitions || prefer_lines;
  }
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

template <>
inline constexpr Threads threads_of<Recipe> = Threads::shared;

}  // namespace chunker
