#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/chunk.hpp"
#include "chunker/error.hpp"
#include "chunker/manifest.hpp"
#include "store/parts.hpp"

// What a delta is made against: the version of the same package that the store has already.
namespace chunker::pipeline {

/// A stretch of the older version's NAR, in bytes; empty where nothing corresponds.
struct OlderRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The newest version of a package in a store: where its files lie, and in which chunks.
/// Owns:    the list of its chunks.
/// Threads: shared.
/// Errors:  none; what cannot be read is as good as absent.
/// Cost:    40 bytes per chunk, 48 per entry; the whole manifest while it is read.
class OlderVersion {
 public:
  /// None if the store has no other version of what is called `name`, or one too large to be looked through.
  [[nodiscard]] static std::shared_ptr<const OlderVersion> find(Store::Parts& parts,
                                                                std::string_view name);

  /// Where this version has what the newer one has in `chunk`: at the same place of the file of the same path,
  /// or of one that differs in numbers only. `entries` are the newer version's up to the chunk's end.
  [[nodiscard]] OlderRange range_of(const ChunkExtent& chunk,
                                    std::span<const NarEntry> entries) const;
  /// The chunks in and around these ranges, in their order in the NAR, up to `bytes_max`.
  [[nodiscard]] std::vector<Digest> chunks_around(std::vector<OlderRange> ranges,
                                                  std::uint64_t bytes_max) const;
  /// The pieces of its manifest.
  [[nodiscard]] std::span<const Digest> pieces() const noexcept { return pieces_; }

 private:
  struct Place {
    std::uint64_t path_hash;
    std::uint64_t offset_bytes;
    std::uint64_t size_bytes;
  };
  struct Chunk {
    Digest digest;
    std::uint64_t end;
  };

  explicit OlderVersion(const Manifest& manifest, std::vector<Digest> pieces);
  [[nodiscard]] const Place* place_of(const NarEntry& entry) const;
  [[nodiscard]] const Place* place_of(std::uint64_t path_hash) const;
  /// Where `offset` of the newer version lies here; begins looking at the last of `entries`.
  [[nodiscard]] std::uint64_t position_of(std::uint64_t offset,
                                          std::span<const NarEntry> entries) const;

  std::vector<Chunk> chunks_;
  std::vector<Place> places_;  ///< By hash.
  std::vector<Digest> pieces_;
  std::uint64_t nar_bytes_;
};

/// Packages of which a NAR is staged and not durable yet.
/// Threads: shared.
class PackagesUnderWay {
 public:
  void add(const std::string& package) CHUNKER_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    packages_.insert(package);
  }
  void remove(const std::string& package) CHUNKER_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    packages_.erase(packages_.find(package));
  }
  [[nodiscard]] bool contains(const std::string& package) CHUNKER_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    return packages_.contains(package);
  }

 private:
  base::Mutex mutex_;
  std::multiset<std::string> packages_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
