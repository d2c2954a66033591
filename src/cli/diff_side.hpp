#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/chunking.hpp"
#include "chunker/store.hpp"

namespace chunker::cli {

/// What became of a chunk's bytes in the other of two NARs.
enum class Fate : std::uint8_t {
  same,             ///< It is there, byte for byte.
  references_only,  ///< It is there with other references in it.
  fresh,            ///< It is not.
  repeated,         ///< It is not, and it was counted before.
};

/// One of two NARs: its chunks, with references taken out, and once compared what became of them.
/// Owns:    its lists.
/// Threads: movable.
/// Errors:  none.
/// Cost:    about 100 bytes per chunk, 150 per entry.
struct DiffSide {
  std::string name{};
  bool stored = false;
  std::uint64_t bytes = 0;
  Recipe recipe{};
  std::vector<ChunkExtent> extents{};
  std::vector<Digest> digests{};
  std::vector<NarEntry> entries{};
  References references{};

  std::vector<Fate> fates{};  ///< One per chunk.

  [[nodiscard]] bool shared(std::size_t chunk) const noexcept {
    return fates[chunk] == Fate::same || fates[chunk] == Fate::references_only;
  }
  [[nodiscard]] std::uint64_t bytes_of(Fate fate) const noexcept;
  [[nodiscard]] std::uint64_t chunks_of(Fate fate) const noexcept;
};

/// How the chunks that only one side has are kept in its store.
struct KeptBytes {
  std::uint64_t stored = 0;
  std::uint64_t delta_raw = 0;  ///< What of it is kept as deltas.
  std::uint64_t delta_stored = 0;
};

/// How files are cut; what is stored was cut long ago.
struct DiffCut {
  ChunkingOptions chunking{};
  HashAlgorithm hash = HashAlgorithm::blake3();
  std::string store_prefix{};  ///< Empty: references stay in the data.
};

/// The NAR of this name, if there is a store and it has it. Errors: store_*.
[[nodiscard]] Result<std::optional<DiffSide>> stored_side(const Store* store,
                                                          const std::string& name);
/// A file cut as ingest would; "-" is standard input. Errors: io_*, nar_*, cancelled.
[[nodiscard]] Result<DiffSide> cut_side(const std::string& path, const DiffCut& cut,
                                        const std::stop_token& stop);

/// Fills in the fates of both.
void compare(DiffSide& a, DiffSide& b);

/// Errors: store_corrupt, io_*.
[[nodiscard]] Result<KeptBytes> kept_bytes(const Store& store, const DiffSide& side);

}  // namespace chunker::cli
