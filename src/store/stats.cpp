#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <unordered_set>

#include "base/try.hpp"
#include "chunker/store.hpp"
#include "codec/info.hpp"
#include "resource/file.hpp"
#include "store/parts.hpp"
#include "store/stored_share.hpp"

// Store::stats: counted from the index and the directory, so that it cannot drift from what is there.
namespace chunker {
namespace {

struct DirectoryBytes {
  std::uint64_t all = 0;
  std::uint64_t index = 0;
};

Result<DirectoryBytes> count_bytes(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  DirectoryBytes bytes;
  std::error_code error;
  const auto index = (directory / "index").string() + "/";
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // A file may go while we look: RocksDB cleans up behind itself.
    if (!it->is_regular_file(gone) || gone) continue;
    const auto size = it->file_size(gone);
    if (gone) continue;
    bytes.all += size;
    if (it->path().string().starts_with(index)) bytes.index += size;
  }
  if (error) {
    return std::unexpected(
        resource::system_error(error.value(), "cannot count the store's files", directory));
  }
  return bytes;
}

void count_chunk(const store::ChunkLocation& chunk, StoreStats& stats) {
  ++stats.unique_chunks;
  stats.unique_raw_bytes += chunk.chunk_bytes;
  if ((chunk.flags & store::kDeltaFrame) != 0) {
    stats.delta_raw_bytes += chunk.chunk_bytes;
    stats.delta_stored_bytes += store::stored_share(chunk);
  } else if (chunk.codec != CodecId::none) {
    stats.compressed_raw_bytes += chunk.chunk_bytes;
    stats.compressed_stored_bytes += store::stored_share(chunk);
  } else {
    stats.uncompressed_bytes += chunk.chunk_bytes;
  }
}

using CodecUses = std::map<CodecId, AlgorithmUse>;

void count_codec(const store::ChunkLocation& chunk, CodecUses& uses) {
  AlgorithmUse& use = uses[chunk.codec];
  ++use.count;
  use.bytes_in += chunk.chunk_bytes;
  use.bytes_out += store::stored_share(chunk);
}

void name_algorithms(CodecUses codecs, const StoreOptions& options, StoreStats& stats) {
  add_use(stats.algorithms, {options.hash.info(), stats.unique_chunks, stats.unique_raw_bytes,
                             stats.unique_chunks * Digest::kBytes});
  for (auto& [id, use] : codecs) {
    use.algorithm = codec::info_of(*options.codecs, id);
    add_use(stats.algorithms, use);
  }
}

}  // namespace

Result<StoreStats> Store::stats() const {
  StoreStats stats;
  std::unordered_set<Digest> distinct;
  CHUNKER_TRY_VOID(list([&](const StoredNar& nar) -> Result<void> {
    ++stats.nars;
    stats.logical_bytes += nar.nar_bytes;
    stats.chunks += nar.chunk_count;
    distinct.insert(nar.nar_sha256);
    return {};
  }));
  stats.unique_nars = distinct.size();
  CodecUses codecs;
  CHUNKER_TRY_VOID(parts_->index->for_each_chunk([&](const auto& chunk) -> Result<void> {
    count_chunk(chunk.second, stats);
    count_codec(chunk.second, codecs);
    return {};
  }));
  name_algorithms(std::move(codecs), parts_->options, stats);
  CHUNKER_TRY_VOID(parts_->index->for_each_manifest([&](const auto& manifest) -> Result<void> {
    stats.manifest_bytes += manifest.second.payload_bytes;
    return {};
  }));
  CHUNKER_TRY_VOID(parts_->index->for_each_pack([&](const store::PackEntry& pack) -> Result<void> {
    ++stats.packs;
    stats.pack_bytes += pack.blob_bytes;
    return {};
  }));
  CHUNKER_TRY(const DirectoryBytes bytes, count_bytes(parts_->directory));
  stats.stored_bytes = bytes.all;
  stats.index_bytes = bytes.index;
  const std::uint64_t known = stats.delta_stored_bytes + stats.compressed_stored_bytes +
                              stats.uncompressed_bytes + stats.manifest_bytes + bytes.index;
  stats.missing_bytes = known - std::min(known, bytes.all);
  return stats;
}

}  // namespace chunker
