#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Some chunks, compressed together, on their way into a pack.
struct Frame {
  FrameRecord record;
  ByteBuffer payload;
};

/// A NAR is durable under its name.
struct Acknowledged {
  std::string
      older_kept_as;  ///< What another NAR that had the name is called now; empty if none had it.
};

/// A NAR all of whose frames were put or are being put, on its way to being acknowledged.
struct StagedNar {
  std::string name;
  ManifestRecord record;
  ByteBuffer manifest;
  /// Chunks it needs that somebody else claimed and had not put yet.
  std::vector<Digest> waits_for;
  /// Called from the committing thread: durable, or the error that ended the writing.
  std::function<void(const Result<Acknowledged>&)> on_durable;
};

/// Writes chunks and manifests into packs, for any number of NARs at once.
///
/// claim() decides who stores a chunk: the first who asks, unless the store has it. put_frame() and
/// put_nar() fill the open pack; a full one goes to the committing thread, which makes it durable while the
/// next one fills. A NAR enters a pack only when every chunk it needs is in that pack or an earlier one, and
/// packs become durable in order: so a durable name never needs a chunk that is not.
///
/// Owns:    the open pack, the queue, the committing thread.
/// Threads: shared.
/// Errors:  the first error of any pack ends the writing: every later call returns it, and every NAR that is
///          not acknowledged gets it.
/// Cost:    memory of about 100 bytes per chunk that is not committed yet.
class StoreWriter {
 public:
  explicit StoreWriter(Store::Parts& parts);
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;
  /// Without finish(), what is not acknowledged is dropped and reported as cancelled.
  ~StoreWriter();

  /// Sets is_new[i] if the caller must put chunk i; appends chunks in flight elsewhere to `waits_for`.
  /// What was claimed must be put, or the writing must be failed.
  [[nodiscard]] Result<void> claim(std::span<const Digest> digests, std::span<bool> is_new,
                                   std::vector<Digest>& waits_for);
  /// Blocks while the device is two packs behind.
  [[nodiscard]] Result<void> put_frame(Frame frame);
  [[nodiscard]] Result<void> put_nar(StagedNar nar);
  /// Everything that was put before is durable and acknowledged when this returns without an error, except
  /// NARs that wait for chunks of others.
  [[nodiscard]] Result<void> settle();
  /// Ends the writing with this error: for a claim that cannot be kept.
  void fail(Error error);
  /// Everything that was put is durable and acknowledged when this returns without an error.
  [[nodiscard]] Result<void> finish();

 private:
  using Clock = std::chrono::steady_clock;
  using OnDurable = std::function<void(const Result<Acknowledged>&)>;
  struct Acknowledgement {
    OnDurable on_durable;
    Acknowledged what;
  };
  struct Pack {
    std::optional<PackWriter> writer;  ///< None while there are only acknowledgements to make.
    std::vector<Acknowledgement> acknowledgements;
    Clock::time_point opened;
    std::uint64_t sequence;
  };

  [[nodiscard]] Result<void> withdraw_known(std::span<const Digest> digests,
                                            std::span<bool> is_new);
  [[nodiscard]] Pack& open_or_begin() CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<PackWriter*> open_pack() CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<void> add_frame(const Frame& frame) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] bool ready(StagedNar& nar) CHUNKER_EXCLUDES(claims_mutex_);
  [[nodiscard]] Result<bool> is_stored(const StagedNar& nar) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<void> add_nar(StagedNar& nar) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<Acknowledged> add_names(const StagedNar& nar) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<std::string> keep_older(const std::string& name, const Digest& older)
      CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<void> set_name(const std::string& name, const Digest& nar_sha256)
      CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<std::optional<Digest>> meaning_of(const std::string& name)
      CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<void> add_waiting() CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] Result<void> seal_if_due() CHUNKER_REQUIRES(pack_mutex_);
  void seal_if_old() CHUNKER_REQUIRES(pack_mutex_);
  void enqueue(Pack&& pack) CHUNKER_REQUIRES(pack_mutex_);
  void seal(Pack&& pack) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] std::unexpected<Error> fail_locked(Error error) CHUNKER_REQUIRES(pack_mutex_);
  [[nodiscard]] std::vector<OnDurable> drop_all() CHUNKER_REQUIRES(pack_mutex_);
  void commit_loop() CHUNKER_EXCLUDES(pack_mutex_);
  void commit(Pack pack) CHUNKER_EXCLUDES(pack_mutex_);
  void forget(const PackDirectory& directory) CHUNKER_EXCLUDES(pack_mutex_);

  Store::Parts& parts_;
  const base::Lock writing_{parts_.writing};

  base::Mutex claims_mutex_;
  /// Chunks on their way: false when claimed, true once in a pack.
  std::unordered_map<Digest, bool> claims_ CHUNKER_GUARDED_BY(claims_mutex_);

  base::Mutex pack_mutex_;
  base::Condition changed_;
  std::optional<Pack> open_ CHUNKER_GUARDED_BY(pack_mutex_);
  std::deque<Pack> queue_ CHUNKER_GUARDED_BY(pack_mutex_);
  std::vector<StagedNar> waiting_ CHUNKER_GUARDED_BY(pack_mutex_);
  /// Names and NARs of packs that the index does not know yet.
  std::unordered_map<std::string, Digest> new_names_ CHUNKER_GUARDED_BY(pack_mutex_);
  std::unordered_set<Digest> new_nars_ CHUNKER_GUARDED_BY(pack_mutex_);
  std::optional<Error> failed_ CHUNKER_GUARDED_BY(pack_mutex_);
  std::uint64_t next_sequence_ CHUNKER_GUARDED_BY(pack_mutex_) = 0;
  bool committing_ CHUNKER_GUARDED_BY(pack_mutex_) = false;
  /// Packs that were sealed, and those of them that were committed.
  std::uint64_t sealed_count_ CHUNKER_GUARDED_BY(pack_mutex_) = 0;
  std::uint64_t committed_count_ CHUNKER_GUARDED_BY(pack_mutex_) = 0;
  bool ending_ CHUNKER_GUARDED_BY(pack_mutex_) = false;
  std::thread committer_;
};

}  // namespace chunker::store
