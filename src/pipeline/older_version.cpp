#include "pipeline/older_version.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "base/try.hpp"
#include "delta/package_name.hpp"
#include "store/manifest_reader.hpp"

namespace chunker::pipeline {
namespace {

/// Looking through more chunks or entries than this would cost more memory than deltas are worth.
constexpr std::uint64_t kChunksMax = 1 << 20;
constexpr std::uint64_t kEntriesMax = 1 << 20;
/// A file that is new among others lies where its neighbor was; beyond so many it says nothing.
constexpr std::size_t kNeighborsMax = 16;
/// Bytes move when something before them grows or shrinks.
constexpr std::uint64_t kMarginBytes = 256 * 1024;
constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();

/// No path begins with a slash, so that no shape is taken for one.
std::string shape_of(std::string_view path) {
  std::string shape("/");
  return shape.append(delta::without_numbers(path));
}

std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>()(path); }

Result<std::optional<std::pair<Manifest, std::vector<Digest>>>> read_newest(Store::Parts& parts,
                                                                            std::string_view name) {
  CHUNKER_TRY(const auto nar, parts.index->newest_version(name));
  if (!nar) return std::nullopt;
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts, *nar));
  if (head.chunk_count > kChunksMax || head.entry_count > kEntriesMax) return std::nullopt;
  CHUNKER_TRY(auto manifest, store::read_manifest(parts, head));
  return std::pair(std::move(manifest), head.pieces());
}

}  // namespace

std::shared_ptr<const OlderVersion> OlderVersion::find(Store::Parts& parts, std::string_view name) {
  auto newest = read_newest(parts, name);
  if (!newest || !*newest) return nullptr;
  auto& [manifest, pieces] = **newest;
  return std::shared_ptr<const OlderVersion>(new OlderVersion(manifest, std::move(pieces)));
}

OlderVersion::OlderVersion(const Manifest& manifest, std::vector<Digest> pieces)
    : pieces_(std::move(pieces)), nar_bytes_(manifest.nar_bytes) {
  std::uint64_t end = 0;
  for (const ChunkReference& chunk : manifest.chunks) {
    end += chunk.size_bytes;
    chunks_.push_back({chunk.digest, end});
  }
  for (const NarEntry& entry : manifest.entries) {
    if (entry.type == NarEntryType::directory) continue;
    places_.push_back({hash_of(entry.path), entry.offset_bytes, entry.size_bytes});
    places_.push_back({hash_of(shape_of(entry.path)), entry.offset_bytes, entry.size_bytes});
  }
  std::ranges::sort(places_, {}, [](const Place& place) {
    return std::pair(place.path_hash, place.offset_bytes);
  });
}

const OlderVersion::Place* OlderVersion::place_of(std::uint64_t path_hash) const {
  const auto found = std::ranges::lower_bound(places_, path_hash, {}, &Place::path_hash);
  return found != places_.end() && found->path_hash == path_hash ? &*found : nullptr;
}

const OlderVersion::Place* OlderVersion::place_of(const NarEntry& entry) const {
  if (entry.type == NarEntryType::directory) return nullptr;
  if (const Place* same = place_of(hash_of(entry.path))) return same;
  return place_of(hash_of(shape_of(entry.path)));
}

std::uint64_t OlderVersion::position_of(std::uint64_t offset,
                                        std::span<const NarEntry> entries) const {
  const std::size_t count = std::min(entries.size(), kNeighborsMax);
  for (std::size_t back = 0; back < count; ++back) {
    const NarEntry& entry = entries[entries.size() - 1 - back];
    const Place* place = place_of(entry);
    if (place == nullptr) continue;
    const std::uint64_t into = offset - entry.offset_bytes;
    if (into >= entry.size_bytes) {
      return std::min(place->offset_bytes + place->size_bytes + (into - entry.size_bytes),
                      nar_bytes_);
    }
    const double share = static_cast<double>(into) / static_cast<double>(entry.size_bytes);
    return place->offset_bytes +
           static_cast<std::uint64_t>(share * static_cast<double>(place->size_bytes));
  }
  return kNowhere;
}

OlderRange OlderVersion::range_of(const ChunkExtent& chunk,
                                  std::span<const NarEntry> entries) const {
  const std::uint64_t chunk_end = chunk.offset_bytes + chunk.size_bytes;
  const auto up_to = [entries](std::uint64_t offset) {
    const auto behind = std::ranges::upper_bound(entries, offset, {}, &NarEntry::offset_bytes);
    return entries.first(static_cast<std::size_t>(behind - entries.begin()));
  };
  const std::uint64_t begin = position_of(chunk.offset_bytes, up_to(chunk.offset_bytes));
  const std::uint64_t end = position_of(chunk_end - 1, up_to(chunk_end - 1));
  // A place for one end is a place for the other.
  if (begin == kNowhere && end == kNowhere) return {};
  if (begin == kNowhere) return {end - std::min(end, chunk.size_bytes), end};
  if (end == kNowhere || end <= begin) return {begin, begin + chunk.size_bytes};
  return {begin, end};
}

std::vector<Digest> OlderVersion::chunks_around(std::vector<OlderRange> ranges,
                                                std::uint64_t bytes_max) const {
  std::erase_if(ranges, [](const OlderRange& range) { return range.begin == range.end; });
  std::ranges::sort(ranges, {}, &OlderRange::begin);
  std::vector<Digest> digests;
  std::uint64_t bytes = 0;
  auto next = chunks_.begin();
  for (const OlderRange& range : ranges) {
    const std::uint64_t begin = range.begin - std::min(range.begin, kMarginBytes);
    const auto first = std::ranges::upper_bound(next, chunks_.end(), begin, {}, &Chunk::end);
    for (next = first; next != chunks_.end(); ++next) {
      const std::uint64_t chunk_begin = next == chunks_.begin() ? 0 : std::prev(next)->end;
      if (chunk_begin >= range.end + kMarginBytes) break;
      bytes += next->end - chunk_begin;
      if (bytes > bytes_max) return digests;
      digests.push_back(next->digest);
    }
  }
  return digests;
}

}  // namespace chunker::pipeline
