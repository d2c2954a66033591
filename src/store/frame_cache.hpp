#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.hpp"
#include "chunker/bytes.hpp"
#include "chunker/hash.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/scratch_pool.hpp"
#include "delta/window_sample.hpp"
#include "store/index.hpp"

namespace chunker::store {

/// A frame as decoded, and what is known of its chunks by now.
class DecodedFrame {
 public:
  explicit DecodedFrame(ScratchBuffer raw) : raw_(std::move(raw)) {}

  [[nodiscard]] Bytes raw() const noexcept { return raw_.bytes(); }
  /// The memory it takes: a buffer of the pool may be larger than what is in it.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return raw_.bytes().capacity(); }
  /// The bytes of one chunk. Errors and cost: those of chunk_in_frame(), the first time.
  [[nodiscard]] Result<Bytes> chunk(const Digest& digest, const ChunkLocation& location,
                                    const HashAlgorithm& hash) CHUNKER_EXCLUDES(mutex_);
  /// delta::sample_windows() of a chunk. Errors: those of chunk().
  [[nodiscard]] Result<std::shared_ptr<const delta::WindowSample>> sample(
      const Digest& digest, const ChunkLocation& location, const HashAlgorithm& hash)
      CHUNKER_EXCLUDES(mutex_);

 private:
  struct Known {
    Digest verified_as;
    std::shared_ptr<const delta::WindowSample> sample;
  };
  ScratchBuffer raw_;
  base::Mutex mutex_;
  /// By offset in the frame and size.
  std::map<std::pair<std::uint64_t, std::uint64_t>, Known> known_ CHUNKER_GUARDED_BY(mutex_);
};

/// Keeps the frames that deltas were decoded with last: neighbors share them, so each is read once.
/// Owns:    the frames.
/// Threads: shared.
/// Errors:  none.
/// Cost:    up to kBytesMax of memory, once there are deltas, or what the budget has left; a short lock per look-up.
class FrameCache {
 public:
  static constexpr std::uint64_t kBytesMax = 32 << 20;

  explicit FrameCache(MemoryBudget& budget);
  ~FrameCache() { clear(); }
  FrameCache(const FrameCache&) = delete;
  FrameCache& operator=(const FrameCache&) = delete;

  /// The frame that `location` lies in; null if it is not kept.
  [[nodiscard]] std::shared_ptr<DecodedFrame> find(const ChunkLocation& location)
      CHUNKER_EXCLUDES(mutex_);
  void keep(const ChunkLocation& location, std::shared_ptr<DecodedFrame> frame)
      CHUNKER_EXCLUDES(mutex_);
  void clear() CHUNKER_EXCLUDES(mutex_);

 private:
  struct Key {
    PackNumber pack;
    std::uint64_t payload_offset;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::shared_ptr<DecodedFrame> frame;
  };
  [[nodiscard]] static Key key_of(const ChunkLocation& location) noexcept {
    return {location.pack, location.payload_offset};
  }

  void drop_oldest() CHUNKER_REQUIRES(mutex_);
  void shrink_by(std::size_t bytes) CHUNKER_EXCLUDES(mutex_);

  MemoryBudget& budget_;
  base::Mutex mutex_;
  std::list<Entry> entries_ CHUNKER_GUARDED_BY(mutex_);  ///< Used last first.
  std::map<Key, std::list<Entry>::iterator> places_ CHUNKER_GUARDED_BY(mutex_);
  std::uint64_t bytes_ CHUNKER_GUARDED_BY(mutex_) = 0;
  MemoryBudget::Evictor evictor_;  ///< Last: what it calls is still there when it ends.
};

/// The bytes of one chunk inside a decoded frame, verified.
/// Errors: store_corrupt if the location does not fit the frame, digest_mismatch.
[[nodiscard]] Result<Bytes> chunk_in_frame(Bytes frame, const Digest& digest,
                                           const ChunkLocation& location,
                                           const HashAlgorithm& hash);

}  // namespace chunker::store
