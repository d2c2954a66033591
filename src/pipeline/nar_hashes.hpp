#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/bytes.hpp"
#include "chunker/hash.hpp"

namespace chunker::pipeline {

/// The SHA-256 of NARs that go through their stages at the same time. One stream alone waits for its own chain of
/// rounds half the time, so pieces wait until enough NARs have some, which are then hashed side by side.
/// Owns:    nothing; pieces are borrowed until they are released.
/// Threads: shared.
/// Errors:  std::bad_alloc, from finish() also where another NAR's thread had it.
/// Cost:    one short lock per piece; pieces that hold up to `held_bytes_max` wait, and the newest of each thread.
class NarHashes {
 public:
  explicit NarHashes(std::uint64_t held_bytes_max = kHeldBytesMax)
      : held_bytes_max_(held_bytes_max) {}

  /// Called once a piece is needed no longer: at once or later, by any thread.
  using Release = std::function<void()>;

  /// The hash of one NAR.
  /// Threads: movable, but not moved: others know where it is.
  class Stream {
   public:
    explicit Stream(NarHashes& hashes);
    /// Waits for whoever hashes its pieces now, and releases the others.
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// `held_bytes` is the memory that stays in use until the release, if that is more than the piece. The release
    /// comes also where this throws.
    void update(Bytes bytes, Release release = {}, std::uint64_t held_bytes = 0);
    /// The hash of all pieces. To be called once, last.
    [[nodiscard]] Digest finish();

   private:
    friend class NarHashes;
    struct Piece {
      Bytes bytes;
      Release release;
      std::uint64_t held_bytes;  // No less than the bytes.
    };

    NarHashes& hashes_;
    Sha256Stream sha256_;        // Used by the thread that made it busy.
    std::deque<Piece> waiting_;  // These are guarded by the mutex of hashes_.
    std::uint64_t waiting_bytes_ = 0;
    bool busy_ = false;
    bool broken_ = false;  // Whoever hashed its pieces ran out of memory: the hash would be wrong.
  };

  /// So many streams are hashed at once, if so many there are.
  static constexpr std::size_t kStreamsMax = 16;
  /// Of so many bytes a stream's share is worth a round.
  static constexpr std::uint64_t kShareBytesMin = std::uint64_t{128} << 10;
  static constexpr std::uint64_t kHeldBytesMax = std::uint64_t{32} << 20;

 private:
  struct Share;
  class Round;

  [[nodiscard]] bool round_is_due() const CHUNKER_REQUIRES(mutex_);
  [[nodiscard]] std::vector<Stream*> company_for(Stream* first) const CHUNKER_REQUIRES(mutex_);
  void add(Stream& stream, const Stream::Piece& piece);
  void take(std::span<Stream* const> streams, std::vector<Share>& shares) CHUNKER_REQUIRES(mutex_);
  void take_bytes(Stream& stream, std::uint64_t count, std::vector<Share>& shares)
      CHUNKER_REQUIRES(mutex_);
  void wait_while_busy(const Stream& stream) CHUNKER_REQUIRES(mutex_);

  const std::uint64_t held_bytes_max_;
  base::Mutex mutex_;
  base::Condition idle_;
  std::vector<Stream*> streams_ CHUNKER_GUARDED_BY(mutex_);  ///< Those that may get more pieces.
  std::uint64_t held_bytes_ CHUNKER_GUARDED_BY(mutex_) = 0;
};

}  // namespace chunker::pipeline
