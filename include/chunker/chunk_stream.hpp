#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/chunk.hpp"
#include "chunker/chunking.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/nar.hpp"
#include "chunker/references.hpp"
#include "chunker/threads.hpp"

namespace chunker {

struct StreamOptions {
  HashAlgorithm hash = HashAlgorithm::blake3();
  /// References are taken out behind this prefix first, as ingest does with its own; empty leaves them in the data.
  std::string store_prefix{};
  /// For callers that must not be kept for long, such as the thread of an event loop: next() returns after about
  /// `max_iteration_time_us` of computing, with or without a chunk (R12.2). Without it next() works until it has one,
  /// and never looks at a clock (R12.5).
  bool cooperative = false;
  std::uint32_t max_iteration_time_us = 1000;
  /// The buffer counts there as long as the stream lives, and is no larger than it allows (R9.4). Without one the largest
  /// is MemoryBudgetOptions::max_buffer_size.
  std::shared_ptr<MemoryBudget> memory_budget{};
  std::stop_token stop{};
};

template <>
inline constexpr Threads threads_of<StreamOptions> = Threads::shared;

/// A chunk as it comes.
struct StreamedChunk {
  ChunkExtent extent;
  Digest digest;
  Bytes
      bytes;  ///< Without its references, if these are taken out. Valid until the next call of next().
};

template <>
inline constexpr Threads threads_of<StreamedChunk> = Threads::confined;

/// What a call of next() has come to.
struct StreamStep {
  enum class Kind : std::uint8_t {
    chunk,    ///< Here is the next one.
    not_yet,  ///< The time is up: call again. Only with `cooperative`.
    ended,    ///< There are no more.
  };
  Kind kind = Kind::ended;
  StreamedChunk chunk{};
};

template <>
inline constexpr Threads threads_of<StreamStep> = Threads::confined;

/// Fills `out` from its front; with less than all of it only where the input ends.
using ByteSource = std::function<Result<std::size_t>(MutableBytes out)>;

/// The chunks of one input, one after the other, on the caller's thread alone. They are those that
/// batch_chunk_files() finds, however long or short the steps are.
/// Owns:    its input, and a buffer of one chunk and what the recipe looks ahead.
/// Threads: movable.
/// Errors:  those of the source, nar_*, cancelled; repeated by every later call.
/// Cost:    that of NarAwareChunker and the hash. With `cooperative` hashing goes on in pieces of 32 KiB; between two
///          of them it costs 0.2 us to look at the thread's clock. A hash of the caller's own cannot be taken apart:
///          it has each chunk at once, and the time with it. So have reads that are slow.
class ChunkStream {
 public:
  /// Errors: invalid_argument from resolve(), or for a store prefix that is none; memory_limit_exceeded for the buffer;
  /// io_* for the file.
  [[nodiscard]] static Result<ChunkStream> open(const std::filesystem::path& path,
                                                const ChunkingOptions& chunking,
                                                StreamOptions options = {});
  [[nodiscard]] static Result<ChunkStream> over(ByteSource source, const ChunkingOptions& chunking,
                                                StreamOptions options = {});

  ChunkStream(ChunkStream&&) noexcept;
  ChunkStream& operator=(ChunkStream&&) noexcept;
  ~ChunkStream();

  [[nodiscard]] Result<StreamStep> next();

  /// Whether the input begins with the NAR magic; false until it was read.
  [[nodiscard]] bool is_nar() const noexcept;
  /// The entries of a NAR that were seen since the last call. A few at a time they cost next() less.
  [[nodiscard]] std::vector<NarEntry> take_entries();
  /// With `store_prefix`, what was taken out; nothing before the input has ended. To be called once.
  [[nodiscard]] References take_references();

 private:
  struct State;
  explicit ChunkStream(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<ChunkStream> = Threads::movable;

}  // namespace chunker
