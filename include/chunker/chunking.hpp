#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/chunk.hpp"
#include "chunker/error.hpp"
#include "chunker/nar.hpp"
#include "chunker/recipe.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Options that were checked once and are shared from then on (R5.1): two equal ChunkingOptions resolve to
/// the same object.
class ResolvedOptions;

/// What a caller asks for.
struct ChunkingOptions {
  Recipe recipe;

  /// The requirement's preset for NARs: 128 KiB, 512 KiB, 2 MiB (R2.1).
  [[nodiscard]] static ChunkingOptions nar() { return {}; }
  /// Checks every parameter by the algorithm's own validate_params() (R21.4).
  /// Errors: invalid_argument naming the parameter and its bounds.
  [[nodiscard]] Result<std::shared_ptr<const ResolvedOptions>> resolve() const;

  friend bool operator==(const ChunkingOptions&, const ChunkingOptions&) = default;
};

template <>
inline constexpr Threads threads_of<ChunkingOptions> = Threads::shared;

/// Finds the chunks of one stream, NAR or not, that arrives in pieces of any size; the pieces do not change
/// the chunks. It keeps no bytes: the caller keeps what lies behind the last chunk it was given, at most
/// `bytes_kept_max()`.
/// Owns:    its state; input is borrowed during feed() only.
/// Threads: movable.
/// Errors:  once the NAR magic was seen, the errors of NarParser, repeated by every later call; input that
///          does not begin with the magic is cut as plain bytes, whatever the mode.
/// Cost:    doc/adr and bench/RESULTS.md; memory does not depend on the stream's length, but for entries().
class NarAwareChunker {
 public:
  explicit NarAwareChunker(std::shared_ptr<const ResolvedOptions> options);
  NarAwareChunker(NarAwareChunker&&) noexcept;
  NarAwareChunker& operator=(NarAwareChunker&&) noexcept;
  ~NarAwareChunker();

  /// Appends the chunks that are certain now; they are contiguous and in order.
  [[nodiscard]] Result<void> feed(Bytes piece, std::vector<ChunkExtent>& chunks);
  /// The input ends here: appends the rest.
  [[nodiscard]] Result<void> finish(std::vector<ChunkExtent>& chunks);

  /// Whether the stream began with the NAR magic; false until 24 bytes were seen.
  [[nodiscard]] bool is_nar() const noexcept;
  /// The entries seen so far, in archive order, for the manifest and the chunk map (R1.5).
  [[nodiscard]] std::vector<NarEntry>& entries() noexcept;
  /// Bytes a caller has to keep behind the last chunk, at most.
  [[nodiscard]] std::uint64_t bytes_kept_max() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<NarAwareChunker> = Threads::movable;

}  // namespace chunker
