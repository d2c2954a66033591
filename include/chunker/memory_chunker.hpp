#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/chunk.hpp"
#include "chunker/chunking.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash_cache.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// The chunks of bytes in memory.
struct MemoryChunks {
  bool is_nar = false;
  std::vector<ChunkExtent> extents;
  std::vector<Digest> digests;  ///< One per extent.
};

template <>
inline constexpr Threads threads_of<MemoryChunks> = Threads::movable;

/// Cuts and hashes bytes that lie in memory, with a cache for those that come again. A caller that passes the same
/// bytes several times, as an Erlang node does with a binary, may pass a hint with them: a name of its own for
/// these bytes (R5.4). Then they are not cut again either, only compared, chunk by chunk, with what the cache has.
/// A hint is never trusted: other bytes under a known hint get their own chunks.
/// Owns:    a share of the options and of the cache; the chunks of the hints used last, kHintsMax of them and
///          kChunksMax chunks in all (48 bytes each).
/// Threads: shared.
/// Errors:  those of NarAwareChunker; memory_limit_exceeded.
/// Cost:    that of cutting and of the cache; with a hint that of a hit for each chunk. It helps only while the cache
///          holds all chunks of the bytes.
class MemoryChunker {
 public:
  static constexpr std::size_t kHintsMax = 256;
  static constexpr std::size_t kChunksMax = 65'536;

  MemoryChunker(std::shared_ptr<const ResolvedOptions> options, std::shared_ptr<HashCache> cache);
  ~MemoryChunker();
  MemoryChunker(const MemoryChunker&) = delete;
  MemoryChunker& operator=(const MemoryChunker&) = delete;

  /// The chunks of `bytes`; without a hint nothing is remembered but what the cache keeps.
  [[nodiscard]] Result<std::shared_ptr<const MemoryChunks>> chunk(Bytes bytes,
                                                                  std::string_view hint = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<MemoryChunker> = Threads::shared;

}  // namespace chunker
