#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/chunk.hpp"
#include "chunker/error.hpp"
#include "chunker/nar.hpp"
#include "chunker/recipe.hpp"
#include "chunker/threads.hpp"

namespace chunker {

namespace cut {
struct Candidates;
}

/// Options that were checked once and are shared from then on (R5.1).
/// Owns:    the recipe, and the tables that all its cutters share.
/// Threads: shared.
/// Errors:  none; ChunkingOptions::resolve() had them.
/// Cost:    about 10 KiB.
class ResolvedOptions {
 public:
  struct Parts;  ///< What cutters are made of; the library's own.

  explicit ResolvedOptions(std::unique_ptr<const Parts> parts) noexcept;
  ~ResolvedOptions();
  ResolvedOptions(const ResolvedOptions&) = delete;
  ResolvedOptions& operator=(const ResolvedOptions&) = delete;

  [[nodiscard]] const Recipe& recipe() const noexcept;
  [[nodiscard]] const Parts& parts() const noexcept { return *parts_; }

 private:
  std::unique_ptr<const Parts> parts_;
};

template <>
inline constexpr Threads threads_of<ResolvedOptions> = Threads::shared;

/// What a caller asks for.
struct ChunkingOptions {
  Recipe recipe;

  /// The requirement's preset for NARs: 128 KiB, 512 KiB, 2 MiB (R2.1).
  [[nodiscard]] static ChunkingOptions nar() { return {}; }
  /// What a store keeps best: 64 KiB, 256 KiB, 1 MiB. Smaller chunks are found again more often, and since new
  /// ones share frames they compress no worse (bench/RESULTS.md, "What each option is worth").
  [[nodiscard]] static ChunkingOptions store() {
    ChunkingOptions options;
    options.recipe.min_bytes = 64 * 1024;
    options.recipe.avg_bytes = 256 * 1024;
    options.recipe.max_bytes = 1024 * 1024;
    return options;
  }
  /// Checks every parameter by the algorithm's own validate_params() (R21.4). Equal options give the same
  /// object while they are among the last 64 resolved, at the cost of a lock and a look. The processor's
  /// fastest cut kernel is chosen, unless the environment's CHUNKER_CUT_KERNEL demands one by name.
  /// Errors: invalid_argument naming the parameter and its bounds, or for a kernel that nobody knows;
  /// unsupported for a kernel that this build or processor lacks.
  [[nodiscard]] Result<std::shared_ptr<const ResolvedOptions>> resolve() const;

  friend bool operator==(const ChunkingOptions&, const ChunkingOptions&) = default;
};

template <>
inline constexpr Threads threads_of<ChunkingOptions> = Threads::shared;

/// Finds the chunks of one stream, NAR or not, that arrives in pieces of any size; the pieces do not change
/// the chunks (doc/format/recipe.md). The caller keeps what lies behind the last chunk it was given, at
/// most `bytes_kept_max()`.
/// Owns:    its state and, in the biased mode only, up to avg_bytes of input; input is borrowed.
/// Threads: movable.
/// Errors:  once the NAR magic was seen, the errors of NarParser, repeated by every later call; input that
///          does not begin with the magic is cut as plain bytes, whatever the mode.
/// Cost:    a NAR is cut about as fast as plain bytes (bench/RESULTS.md); memory does not depend on the
///          stream's length, but for entries().
class NarAwareChunker {
 public:
  explicit NarAwareChunker(std::shared_ptr<const ResolvedOptions> options);
  NarAwareChunker(NarAwareChunker&&) noexcept;
  NarAwareChunker& operator=(NarAwareChunker&&) noexcept;
  ~NarAwareChunker();

  /// Appends the chunks that are certain now; they are contiguous and in order, and lie in what was fed.
  [[nodiscard]] Result<void> feed(Bytes piece, std::vector<ChunkExtent>& chunks);
  /// The same, for a piece that was scanned beforehand; the library's own. The candidates come back unchanged.
  [[nodiscard]] Result<void> feed(Bytes piece, std::vector<ChunkExtent>& chunks,
                                  cut::Candidates& candidates);
  /// The input ends here: appends the rest. To be called once, last.
  [[nodiscard]] Result<void> finish(std::vector<ChunkExtent>& chunks);

  /// Whether the stream began with the NAR magic; false until 24 bytes were seen.
  [[nodiscard]] bool is_nar() const noexcept;
  /// The entries seen so far, in archive order, for the manifest and the chunk map (R1.5).
  [[nodiscard]] std::vector<NarEntry>& entries() noexcept;
  /// Bytes a caller has to keep behind the last chunk once feed() returns, at most.
  [[nodiscard]] std::uint64_t bytes_kept_max() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarAwareChunker> = Threads::movable;

/// A run of entries, by their indexes: from `first_index` up to, but without, `end_index`.
struct EntryRange {
  std::size_t first_index = 0;
  std::size_t end_index = 0;

  [[nodiscard]] bool empty() const noexcept { return first_index == end_index; }
  friend bool operator==(const EntryRange&, const EntryRange&) = default;
};

template <>
inline constexpr Threads threads_of<EntryRange> = Threads::shared;

/// For each chunk the files whose contents it holds bytes of (R1.5): the range from the first to the last
/// of them, with whatever directories, symlinks and empty files lie between; empty if there are none.
/// Both lists ascend by offset, as NarAwareChunker gives them.
/// Cost: linear in both.
[[nodiscard]] std::vector<EntryRange> map_chunks_to_entries(std::span<const ChunkExtent> chunks,
                                                            std::span<const NarEntry> entries);

/// Whether the chunks, one after the other, are exactly a stream of `stream_bytes`, none of them empty.
/// Errors: invalid_argument with the offset of the first chunk that is out of place.
[[nodiscard]] Result<void> validate_chunks(std::span<const ChunkExtent> chunks,
                                           std::uint64_t stream_bytes);

}  // namespace chunker
