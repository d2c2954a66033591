#pragma once

#include <cstdint>
#include <vector>

#include "chunker/digest.hpp"
#include "chunker/nar.hpp"
#include "chunker/recipe.hpp"
#include "chunker/references.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// One chunk of a NAR: its name and size.
struct ChunkReference {
  Digest digest;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const ChunkReference&, const ChunkReference&) = default;
};

template <>
inline constexpr Threads threads_of<ChunkReference> = Threads::shared;

/// The list that rebuilds one NAR. On disk: doc/format/manifest.md.
struct Manifest {
  Digest nar_sha256;  ///< Of the archive as Nix writes it; the manifest's key.
  std::uint64_t nar_bytes = 0;
  Recipe recipe;
  std::vector<ChunkReference> chunks;  ///< Of the NAR with its references taken out.
  std::vector<NarEntry> entries;
  References references{};

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

template <>
inline constexpr Threads threads_of<Manifest> = Threads::movable;

}  // namespace chunker
