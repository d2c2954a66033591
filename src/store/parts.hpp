#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/scratch_pool.hpp"
#include "chunker/store.hpp"
#include "resource/file.hpp"
#include "store/blob.hpp"
#include "store/frame_cache.hpp"
#include "store/index.hpp"

namespace chunker {

/// An open store, for the floors above: what Store hides.
/// Threads: shared.
struct Store::Parts {
  explicit Parts(std::shared_ptr<MemoryBudget> memory_budget = nullptr)
      : memory(memory_budget ? std::move(memory_budget) : std::make_shared<MemoryBudget>()) {}

  const std::shared_ptr<MemoryBudget> memory;  ///< Of everything here, and of what works here.
  std::filesystem::path directory;
  StoreOptions options;  ///< With the layout and hash that the store really has.
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<store::Index> index;
  std::optional<resource::FileLock> writer_lock;
  std::optional<resource::FileLock> reader_lock;

  /// Held by whoever writes: ingest, remove and gc of one store run one after another.
  base::Mutex writing;
  /// Held shared by whoever reads chunks in this process, exclusive while gc removes packs.
  std::shared_mutex reading;
  /// Set while packs and index may disagree; stays set if the change failed half-way. Guarded by `writing`.
  bool unsettled = false;

  /// Buffers for frames, compressed and decoded, of all that reads and writes here.
  ScratchPool scratch{ScratchPool::kHeldBytesMax, memory};
  /// What deltas were decoded with last.
  store::FrameCache base_frames{*memory};

  /// Errors: io_unavailable after a change that failed half-way: opening again brings packs and index
  /// together.
  [[nodiscard]] Result<void> check_settled() const;

  /// The key of a pack; remembered, because every frame that is read asks for it.
  [[nodiscard]] Result<std::string> pack_key(store::PackNumber number);
  /// The base of a delta frame, as its pack's directory has it; that of the packs asked last is kept.
  [[nodiscard]] Result<std::shared_ptr<const std::vector<Digest>>> base_of(
      const store::ChunkLocation& frame);
  /// Forgets what was remembered of packs: numbers or keys may mean others now.
  void forget_caches();
  /// The store opened once more, as it is now (second_look.hpp): what was opened before, but not `than`. Errors: those
  /// of Store::open().
  [[nodiscard]] Result<std::shared_ptr<const Store>> newer(const Store* than = nullptr);
  /// Where a chunk lies. Errors: store_chunk_missing naming the digest.
  [[nodiscard]] Result<store::ChunkLocation> locate(const Digest& digest) const;

 private:
  static constexpr std::size_t kPackKeysMax = 65536;      ///< About 10 MB.
  static constexpr std::size_t kBaseDigestsMax = 262144;  ///< About 10 MB.

  base::Mutex newer_mutex_;
  std::shared_ptr<const Store> newer_ CHUNKER_GUARDED_BY(newer_mutex_);

  /// By where the frame's payload begins.
  using PackBases = std::unordered_map<std::uint64_t, std::shared_ptr<const std::vector<Digest>>>;
  [[nodiscard]] Result<PackBases> read_bases(store::PackNumber number);

  base::Mutex mutex_;
  std::unordered_map<store::PackNumber, PackBases> bases_ CHUNKER_GUARDED_BY(mutex_);
  std::size_t base_digests_ CHUNKER_GUARDED_BY(mutex_) = 0;
  std::unordered_map<store::PackNumber, std::string> pack_keys_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker
