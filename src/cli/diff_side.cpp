#include "cli/diff_side.hpp"

#include <algorithm>
#include <bit>
#include <unordered_set>
#include <utility>

#include "base/try.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "pipeline/file_chunks.hpp"
#include "store/parts.hpp"
#include "store/stored_share.hpp"

namespace chunker::cli {
namespace {

Result<DiffSide> cut_file(const std::string& path, const DiffCut& cut,
                          const std::stop_token& stop) {
  BatchOptions options;
  options.hash = cut.hash;
  options.store_prefix = cut.store_prefix;
  options.stop = stop;
  CHUNKER_TRY(const auto file_cut, pipeline::FileCut::make(cut.chunking, options));
  ByteBuffer buffer;
  pipeline::ProgressMeter progress({}, 1, 0);
  CHUNKER_TRY(FileChunks file, pipeline::chunk_file(path == "-" ? "/dev/stdin" : path, file_cut,
                                                    buffer, progress, [] { return 1U; }));
  return DiffSide{.name = label_of(path),
                  .bytes = file.bytes,
                  .recipe = cut.chunking.recipe,
                  .extents = std::move(file.extents),
                  .digests = std::move(file.digests),
                  .entries = std::move(file.entries),
                  .references = std::move(file.references)};
}

// Of each chunk its digest, or, if references belong into it, one of both: chunks of the same name are the same
// bytes in their NARs.
std::vector<Digest> full_names(const DiffSide& side) {
  const HashAlgorithm hash = HashAlgorithm::blake3();
  const auto& positions = side.references.positions;
  std::vector<Digest> names = side.digests;
  std::size_t next = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [begin, size] = side.extents[i];
    while (next < positions.size() &&
           positions[next].offset_bytes + kStoreHashCharacters <= begin) {
      ++next;
    }
    ByteBuffer text(names[i].view());
    for (std::size_t at = next; at < positions.size(); ++at) {
      if (positions[at].offset_bytes >= begin + size) break;
      const auto place =
          std::bit_cast<std::array<std::byte, 8>>(positions[at].offset_bytes - begin);
      text.append(place);
      text.append(side.references.hashes[positions[at].hash_index].bytes);
    }
    if (text.size() != Digest::kBytes) names[i] = hash.hash(text);
  }
  return names;
}

using Names = std::unordered_set<Digest>;

std::vector<Fate> fates_of(const DiffSide& side, const std::vector<Digest>& names,
                           const Names& other_digests, const Names& other_names) {
  std::vector<Fate> fates;
  Names counted;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (other_names.contains(names[i])) {
      fates.push_back(Fate::same);
    } else if (other_digests.contains(side.digests[i])) {
      fates.push_back(Fate::references_only);
    } else {
      fates.push_back(counted.insert(side.digests[i]).second ? Fate::fresh : Fate::repeated);
    }
  }
  return fates;
}

}  // namespace

std::uint64_t DiffSide::bytes_of(Fate fate) const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] == fate) sum += extents[i].size_bytes;
  }
  return sum;
}

std::uint64_t DiffSide::chunks_of(Fate fate) const noexcept {
  return static_cast<std::uint64_t>(std::ranges::count(fates, fate));
}

Result<std::optional<DiffSide>> stored_side(const Store* store, const std::string& name) {
  if (store == nullptr || name == "-") return std::nullopt;
  auto nar = find_nar(*store, name);
  if (!nar && nar.error().code == ErrorCode::store_not_found) return std::nullopt;
  if (!nar) return std::unexpected(std::move(nar).error());
  CHUNKER_TRY(Manifest manifest, store->manifest(nar->nar_sha256));
  DiffSide side{.name = nar->name,
                .stored = true,
                .bytes = manifest.nar_bytes,
                .recipe = manifest.recipe,
                .entries = std::move(manifest.entries),
                .references = std::move(manifest.references)};
  std::uint64_t offset = 0;
  for (const ChunkReference& chunk : manifest.chunks) {
    side.extents.push_back({offset, chunk.size_bytes});
    side.digests.push_back(chunk.digest);
    offset += chunk.size_bytes;
  }
  return side;
}

Result<DiffSide> cut_side(const std::string& path, const DiffCut& cut,
                          const std::stop_token& stop) {
  auto side = cut_file(path, cut, stop);
  if (side || side.error().context.find(path) != std::string::npos) return side;
  return std::unexpected(std::move(side).error().within(label_of(path)));
}

void compare(DiffSide& a, DiffSide& b) {
  const auto names_a = full_names(a);
  const auto names_b = full_names(b);
  const auto set_of = [](const auto& names) { return Names(names.begin(), names.end()); };
  a.fates = fates_of(a, names_a, set_of(b.digests), set_of(names_b));
  b.fates = fates_of(b, names_b, set_of(a.digests), set_of(names_a));
}

Result<KeptBytes> kept_bytes(const Store& store, const DiffSide& side) {
  std::vector<Digest> fresh;
  for (std::size_t i = 0; i < side.fates.size(); ++i) {
    if (side.fates[i] == Fate::fresh) fresh.push_back(side.digests[i]);
  }
  CHUNKER_TRY(const auto locations, store.parts().index->chunks(fresh));
  KeptBytes kept;
  for (const auto& location : locations) {
    if (!location) continue;
    const std::uint64_t bytes = store::stored_share(*location);
    kept.stored += bytes;
    if ((location->flags & store::kDeltaFrame) == 0) continue;
    kept.delta_raw += location->chunk_bytes;
    kept.delta_stored += bytes;
  }
  return kept;
}

}  // namespace chunker::cli
