#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/algorithm_use.hpp"
#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/manifest.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/threads.hpp"

namespace chunker {

enum class StoreAccess : std::uint8_t {
  read,   ///< Any number of processes, beside one writer; sees what was there when it opened.
  write,  ///< One process at a time; a second one gets store_locked.
};

enum class StoreLayout : std::uint8_t {
  packs,    ///< Many frames in one blob: few requests, few files. The default.
  objects,  ///< One blob per chunk under {hash_prefix}/{hash} (R13.6).
};

struct StoreOptions {
  StoreAccess access = StoreAccess::read;
  bool create = false;  ///< With write access: make the store if there is none.
  // The next two decide how a new store is made, and are otherwise read from the store.
  StoreLayout layout = StoreLayout::packs;
  HashAlgorithm hash =
      HashAlgorithm::blake3();  ///< Names chunks. A store of a custom hash needs it here.
  std::shared_ptr<const CodecRegistry> codecs = CodecRegistry::builtin();
  std::uint64_t pack_bytes_target = 64ULL
                                    << 20;  ///< A pack is closed at the first frame beyond this.
  /// What the store's caches and all that ingest, restore and verify have in flight share (R9.1); others may share it
  /// too. One of its own, without limits, if there is none.
  std::shared_ptr<MemoryBudget> memory_budget{};
};

template <>
inline constexpr Threads threads_of<StoreOptions> = Threads::shared;

/// One name of the store and the NAR it means.
struct StoredNar {
  std::string name;
  Digest nar_sha256;
  std::uint64_t nar_bytes = 0;
  std::uint64_t chunk_count = 0;
  std::uint64_t added_unix_seconds = 0;
};

template <>
inline constexpr Threads threads_of<StoredNar> = Threads::shared;

struct StoreStats {
  std::uint64_t nars = 0;           ///< Names.
  std::uint64_t unique_nars = 0;    ///< Distinct NARs among them.
  std::uint64_t logical_bytes = 0;  ///< Sum of the NARs' sizes, one per name.
  std::uint64_t stored_bytes = 0;   ///< Everything the store's directory holds, index included.
  std::uint64_t pack_bytes = 0;     ///< Packs and chunk objects.
  std::uint64_t index_bytes = 0;
  std::uint64_t packs = 0;             ///< Blobs: packs and chunk objects.
  std::uint64_t chunks = 0;            ///< References from NARs to chunks, one NAR per name.
  std::uint64_t unique_chunks = 0;     ///< Chunks kept; pieces of manifests are among them.
  std::uint64_t unique_raw_bytes = 0;  ///< Their size before compression.

  // How unique_raw_bytes are kept: their three parts, and what each takes in packs. What chunks of one frame
  // take together is shared out by size.
  std::uint64_t delta_raw_bytes = 0;  ///< As what distinguishes them from other chunks.
  std::uint64_t delta_stored_bytes = 0;
  std::uint64_t compressed_raw_bytes = 0;
  std::uint64_t compressed_stored_bytes = 0;
  std::uint64_t uncompressed_bytes = 0;  ///< As they are, since compressing gains next to nothing.
  // With these, index_bytes and other_bytes, the stored parts add up to stored_bytes.
  std::uint64_t manifest_bytes = 0;  ///< Manifests themselves; their lists are among the chunks.
  std::uint64_t missing_bytes = 0;   ///< To subtract: what the index knows and the directory lacks.

  /// What the chunks kept are compressed and named by. Of a codec that is not there the number is the name. All that
  /// codecs put out is delta_stored_bytes, compressed_stored_bytes and uncompressed_bytes.
  std::vector<AlgorithmUse> algorithms{};

  /// What is kept once although several places need it; about, because the lists of manifests and what nobody
  /// needs any more are kept too. With surplus_bytes() it leads from logical_bytes to unique_raw_bytes.
  [[nodiscard]] std::uint64_t duplicate_bytes() const noexcept {
    return logical_bytes > unique_raw_bytes ? logical_bytes - unique_raw_bytes : 0;
  }
  /// Where even more is kept than the NARs come to.
  [[nodiscard]] std::uint64_t surplus_bytes() const noexcept {
    return unique_raw_bytes > logical_bytes ? unique_raw_bytes - logical_bytes : 0;
  }
  /// Directories of packs, names, what nobody needs until gc comes, what was set aside as damaged.
  [[nodiscard]] std::uint64_t other_bytes() const noexcept {
    return stored_bytes + missing_bytes - delta_stored_bytes - compressed_stored_bytes -
           uncompressed_bytes - manifest_bytes - index_bytes;
  }

  /// logical / stored; 0 for an empty store.
  [[nodiscard]] double dedup_ratio() const noexcept {
    return stored_bytes == 0
               ? 0.0
               : static_cast<double>(logical_bytes) / static_cast<double>(stored_bytes);
  }
};

template <>
inline constexpr Threads threads_of<StoreStats> = Threads::shared;

/// Called for every problem, from one thread at a time: what, where, and whom it hurts.
using OnProblem = std::function<void(const Error&)>;

struct RebuildReport {
  std::uint64_t packs = 0;
  std::uint64_t packs_damaged = 0;  ///< Skipped: their directory cannot be read.
  std::uint64_t chunks = 0;
  std::uint64_t nars = 0;
  // What the old index tells, if it can be read.
  bool compared = false;            ///< Whether there was one.
  std::uint64_t packs_missing = 0;  ///< It knew them, and they are not there.
  std::uint64_t chunks_lost = 0;    ///< It knew them, and no readable pack has them.
  std::uint64_t names_kept = 0;     ///< Only lost packs recorded them; recorded anew.
  // In any case.
  std::uint64_t nars_damaged = 0;  ///< Names whose NARs cannot be restored as things stand.

  /// Whether anything is not as it should be.
  [[nodiscard]] bool is_damaged() const noexcept {
    return packs_damaged + packs_missing + nars_damaged != 0;
  }
};

template <>
inline constexpr Threads threads_of<RebuildReport> = Threads::shared;

/// Chunks and manifests in a directory (doc/format/store.md). What goes in and out of it is
/// ingest.hpp and restore.hpp; looking after it is maintain.hpp.
/// Owns:    its locks and open files, until it is destroyed.
/// Threads: shared.
/// Errors:  store_not_found (nothing there), store_locked, store_version, store_corrupt, io_*; the
///          path is the context. Once writing into the index failed, this Store only reads: open it again.
/// Cost:    opening for writing lists the packs and looks each up in the index, and repairs what differs; if
///          the index is gone or an old pack came back, it is made anew: about 150 bytes of memory per
///          pack or chunk object.
class Store {
 public:
  [[nodiscard]] static Result<Store> open(const std::filesystem::path& directory,
                                          StoreOptions options = {});
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Every name, ascending. `visit` may stop by returning an error, which is then returned.
  [[nodiscard]] Result<void> list(const std::function<Result<void>(const StoredNar&)>& visit) const;
  /// By name, with or without ".nar", else by SHA-256 in hexadecimal (8 digits or more, if they are
  /// enough) or in Nix's base 32, with or without "sha256:". Errors: store_not_found,
  /// store_ambiguous_name.
  [[nodiscard]] Result<StoredNar> find(std::string_view name_or_hash) const;
  /// Errors: store_not_found, store_corrupt, digest_mismatch.
  [[nodiscard]] Result<Manifest> manifest(const Digest& nar_sha256) const;
  /// The verified bytes of one chunk, appended to `output`.
  /// Errors: store_chunk_missing, digest_mismatch, store_corrupt, codec_*.
  [[nodiscard]] Result<void> read_chunk(const Digest& digest, ByteBuffer& output) const;
  [[nodiscard]] Result<StoreStats> stats() const;
  /// Takes names away; durable when it returns. What they alone needed is garbage from then on.
  /// Errors: store_not_found naming the first absent one; then nothing is removed.
  [[nodiscard]] Result<void> remove(std::span<const std::string> names);

  [[nodiscard]] StoreLayout layout() const noexcept;
  [[nodiscard]] const HashAlgorithm& hash() const noexcept;
  [[nodiscard]] const std::filesystem::path& directory() const noexcept;

  /// What the floors above work with; not for callers.
  struct Parts;
  [[nodiscard]] Parts& parts() const noexcept;

 private:
  explicit Store(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

template <>
inline constexpr Threads threads_of<Store> = Threads::shared;

/// "packs" or "objects".
[[nodiscard]] std::string_view name(StoreLayout layout) noexcept;

}  // namespace chunker
