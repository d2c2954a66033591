#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chunker/codec.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"
#include "delta/similarity.hpp"
#include "store/pack.hpp"

namespace chunker::store {

using PackNumber = std::uint32_t;
class IndexDatabase;

/// Where a chunk lies: in which pack, which frame of it, and which bytes of that frame once
/// decoded.
struct ChunkLocation {
  PackNumber pack = 0;
  std::uint64_t payload_offset = 0;
  std::uint64_t payload_bytes = 0;
  CodecId codec = CodecId::none;
  std::uint64_t flags = 0;
  std::uint64_t frame_raw_bytes = 0;
  std::uint64_t offset_in_frame = 0;
  std::uint64_t chunk_bytes = 0;

  /// Whether both lie in the same frame, so that one read serves both.
  [[nodiscard]] bool same_frame(const ChunkLocation& other) const noexcept {
    return pack == other.pack && payload_offset == other.payload_offset;
  }
  friend bool operator==(const ChunkLocation&, const ChunkLocation&) = default;
};

struct ManifestLocation {
  PackNumber pack = 0;
  std::uint64_t payload_offset = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t nar_bytes = 0;
  std::uint64_t chunk_count = 0;

  /// What a pack's directory says of it.
  [[nodiscard]] ManifestRecord record_of(const Digest& nar_sha256) const noexcept {
    return {payload_bytes, nar_sha256, nar_bytes, chunk_count};
  }
  friend bool operator==(const ManifestLocation&, const ManifestLocation&) = default;
};

/// What a chunk is like.
using ChunkFeatures = std::pair<Digest, delta::Features>;

struct PackEntry {
  std::string key;
  PackNumber number = 0;
  std::uint64_t sequence = 0;
  std::uint64_t blob_bytes = 0;

  friend bool operator==(const PackEntry&, const PackEntry&) = default;
};

/// digest -> where its frame lies; also packs, manifests and names (doc/format/store.md, "Index
/// keys"). Everything in it can be rebuilt from the packs, so it is written without syncing.
/// Owns:    a RocksDB database (index_database.hpp).
/// Threads: shared.
/// Errors:  store_corrupt with the cure and RocksDB's message, store_locked, store_version, io_*.
/// Cost:    about 55 bytes on disk per chunk; a look-up that misses costs no read (bloom filters).
class Index {
 public:
  enum class Access : std::uint8_t { read, write };

  /// Opens, and for writing creates, the database in `directory`. Several readers and one writer at
  /// a time; a reader sees what was there when it opened. With a budget it counts there, and its cache makes way.
  [[nodiscard]] static Result<std::unique_ptr<Index>> open(
      const std::filesystem::path& directory, Access access,
      std::shared_ptr<MemoryBudget> memory = {});
  /// Flushes, so that a closed index is compact; what a crash keeps from that is done at next opening.
  ~Index();

  [[nodiscard]] Result<std::optional<ChunkLocation>> chunk(const Digest& digest) const;
  /// One answer per digest, in one batched look-up.
  [[nodiscard]] Result<std::vector<std::optional<ChunkLocation>>> chunks(
      std::span<const Digest> digests) const;
  [[nodiscard]] Result<std::optional<ManifestLocation>> manifest(const Digest& nar_sha256) const;
  [[nodiscard]] Result<std::optional<NameRecord>> name(std::string_view name) const;
  [[nodiscard]] Result<std::optional<PackEntry>> pack(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::string>> pack_key(PackNumber number) const;

  /// Visitors may stop by returning an error, which is then returned. Ascending order of keys.
  template <class T>
  using Visit = std::function<Result<void>(const T&)>;
  [[nodiscard]] Result<void> for_each_name(const Visit<NameRecord>& visit) const;
  [[nodiscard]] Result<void> for_each_pack(const Visit<PackEntry>& visit) const;
  [[nodiscard]] Result<void> for_each_manifest(
      const Visit<std::pair<Digest, ManifestLocation>>& visit) const;
  [[nodiscard]] Result<void> for_each_chunk(
      const Visit<std::pair<Digest, ChunkLocation>>& visit) const;
  /// NARs whose SHA-256 begins with these hex digits (at most `count_max` of them).
  [[nodiscard]] Result<std::vector<Digest>> manifests_with_prefix(std::string_view hex,
                                                                  std::size_t count_max) const;
  /// The NAR that was named last among those that are another version of what is called `name`: of the same
  /// shape, else of the same package (delta/package_name.hpp). It may be gone.
  [[nodiscard]] Result<std::optional<Digest>> newest_version(std::string_view name) const;
  /// At most `count_max` chunks that agree with one of these in some feature; first those that agree in most. They
  /// may be gone.
  [[nodiscard]] Result<std::vector<Digest>> similar_chunks(std::span<const ChunkFeatures> chunks,
                                                           std::size_t count_max) const;
  /// The names of one NAR.
  [[nodiscard]] Result<std::vector<std::string>> names_of(const Digest& nar_sha256) const;

  /// What becomes of a manifest that loses its last name. When many packs are replayed a later one may name it again:
  /// of a name that was salvaged the record in between is gone.
  enum class Nameless : std::uint8_t { forget, keep };

  /// Applies a pack's directory, record by record, as one atomic step, and gives the pack a number:
  /// chunks and manifests are located in it, names are set, removals unset. A pack that is known already keeps its
  /// number.
  [[nodiscard]] Result<void> add_pack(std::string_view key, std::uint64_t blob_bytes,
                                      const PackDirectory& directory,
                                      Nameless nameless = Nameless::forget);
  /// Forgets the manifests without a name, for when nobody is about to give them one. Not atomic, but repeating it
  /// completes it.
  [[nodiscard]] Result<void> forget_nameless();
  /// Forgets a pack, and every chunk and manifest that is still located in it, as one atomic step.
  /// Names stay. An unknown pack is no error.
  [[nodiscard]] Result<void> forget_pack(std::string_view key, const PackDirectory& directory);
  /// The same for packs whose directories cannot be read: scans the whole index, once for all of them.
  /// Not atomic, but repeating it after a crash completes it.
  [[nodiscard]] Result<void> forget_lost_packs(std::span<const std::string> keys);
  [[nodiscard]] Result<void> forget_lost_pack(std::string_view key);

  /// From here on these lie there. Not atomic, but repeating it completes it.
  [[nodiscard]] Result<void> relocate(
      const std::unordered_map<Digest, ChunkLocation>& chunks,
      const std::unordered_map<Digest, ManifestLocation>& manifests);
  /// Forgets chunks, wherever they lie, as one atomic step.
  [[nodiscard]] Result<void> forget_chunks(std::span<const Digest> digests);

  /// Lets similar_chunks() find these, also before they are stored and after they are gone.
  [[nodiscard]] Result<void> note_features(std::span<const ChunkFeatures> chunks);
  /// Forgets the features of chunks that are not in the index. Cost: a look-up for each feature there is.
  [[nodiscard]] Result<void> forget_stale_features();

  /// The highest sequence that any pack ever had, forgotten ones included; 0 without packs.
  [[nodiscard]] Result<std::uint64_t> highest_sequence() const;

  /// What was written so far survives a power cut. Cost: one sync of the write-ahead log.
  [[nodiscard]] Result<void> sync();
  /// Puts what is still in memory into compact files. Closing does that too.
  [[nodiscard]] Result<void> flush();

 private:
  explicit Index(std::unique_ptr<IndexDatabase> database);
  const std::unique_ptr<IndexDatabase> database_;
};

}  // namespace chunker::store
