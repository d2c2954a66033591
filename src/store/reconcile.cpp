#include "store/reconcile.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/try.hpp"
#include "store/baseless.hpp"
#include "store/pack.hpp"
#include "store/salvage.hpp"
#include "store/second_copies.hpp"

namespace chunker::store {
namespace {

using Listed = BlobStore::Listed;

/// A pack whose directory is sound. The directory itself is read again when its turn comes: those of all
/// packs together may not fit into memory.
struct ReadablePack {
  Listed blob;
  std::uint64_t sequence = 0;
};

bool before(const ReadablePack& a, const ReadablePack& b) {
  return std::pair(a.sequence, std::string_view(a.blob.key)) <
         std::pair(b.sequence, std::string_view(b.blob.key));
}

/// What the packs there are and the index disagree about.
struct Difference {
  std::vector<Listed> unknown;       ///< There, not in the index.
  std::vector<std::string> missing;  ///< In the index, not there or of another size.
};

Result<Difference> compare(Store::Parts& parts) {
  Difference difference;
  std::uint64_t same = 0;
  const auto look_up = [&](const Listed& blob) -> Result<void> {
    CHUNKER_TRY(const auto known, parts.index->pack(blob.key));
    if (known && known->blob_bytes == blob.size_bytes) {
      ++same;
    } else {
      difference.unknown.push_back(blob);
    }
    return {};
  };
  CHUNKER_TRY_VOID(parts.blobs->list("chunks/", look_up));
  CHUNKER_TRY_VOID(parts.blobs->list("packs/", look_up));
  CHUNKER_TRY(difference.missing, missing_packs(*parts.blobs, *parts.index, same));
  return difference;
}

/// Keeps a pack that can be read; one that is damaged is reported and left out. A pack of a later version
/// ends it, and so do errors of the device: an index is never built from half of what is there.
Result<void> keep_readable(BlobStore& blobs, const Listed& blob,
                           std::vector<ReadablePack>& readable, const OnProblem& on_problem) {
  auto directory = read_pack_directory(blobs, blob.key, blob.size_bytes);
  if (directory) {
    readable.push_back({blob, directory->sequence});
  } else if (directory.error().code != ErrorCode::store_corrupt) {
    return std::unexpected(std::move(directory).error());
  } else if (on_problem) {
    on_problem(directory.error());
  }
  return {};
}

/// In order of sequence. Manifests without a name are left for Index::forget_nameless().
Result<void> add_packs(BlobStore& blobs, Index& index, std::vector<ReadablePack> packs) {
  std::ranges::sort(packs, before);
  for (const ReadablePack& pack : packs) {
    CHUNKER_TRY(const auto directory,
                read_pack_directory(blobs, pack.blob.key, pack.blob.size_bytes));
    CHUNKER_TRY_VOID(
        index.add_pack(pack.blob.key, pack.blob.size_bytes, directory, Index::Nameless::keep));
  }
  return {};
}

}  // namespace

Result<RebuildReport> index_all_packs(BlobStore& blobs, Index& index, const OnProblem& on_problem) {
  std::vector<ReadablePack> readable;
  RebuildReport report;
  const auto keep = [&](const Listed& blob) {
    ++report.packs_damaged;  // Until it is known to be readable.
    return keep_readable(blobs, blob, readable, on_problem);
  };
  CHUNKER_TRY_VOID(blobs.list("chunks/", keep));
  CHUNKER_TRY_VOID(blobs.list("packs/", keep));
  report.packs = readable.size();
  report.packs_damaged -= report.packs;
  CHUNKER_TRY_VOID(add_packs(blobs, index, std::move(readable)));
  CHUNKER_TRY_VOID(forget_baseless(blobs, index, {}));
  CHUNKER_TRY_VOID(index.for_each_chunk([&report](const auto&) -> Result<void> {
    ++report.chunks;
    return {};
  }));
  CHUNKER_TRY_VOID(index.for_each_name([&report](const auto&) -> Result<void> {
    ++report.nars;
    return {};
  }));
  return report;
}

Result<std::vector<std::string>> missing_packs(BlobStore& blobs, const Index& index,
                                               std::uint64_t there_count) {
  std::uint64_t known_count = 0;
  CHUNKER_TRY_VOID(index.for_each_pack([&known_count](const PackEntry&) -> Result<void> {
    ++known_count;
    return {};
  }));
  std::vector<std::string> missing;
  if (known_count == there_count) return missing;
  CHUNKER_TRY_VOID(index.for_each_pack([&](const PackEntry& entry) -> Result<void> {
    const auto size_bytes = blobs.size(entry.key);
    if (!size_bytes && size_bytes.error().code != ErrorCode::store_not_found) {
      return std::unexpected(size_bytes.error());
    }
    if (!size_bytes || *size_bytes != entry.blob_bytes) missing.push_back(entry.key);
    return {};
  }));
  return missing;
}

namespace {

std::filesystem::path beside(const std::filesystem::path& directory, std::string_view suffix) {
  return directory.parent_path() / directory.filename().string().append(suffix);
}

std::filesystem::path old_index(const std::filesystem::path& directory) {
  return beside(directory, ".old");
}

}  // namespace

std::filesystem::path fresh_index(const std::filesystem::path& directory) {
  return beside(directory, ".new");
}

Result<RebuildReport> make_fresh_index(BlobStore& blobs, const std::filesystem::path& directory,
                                       const OnProblem& on_problem) {
  const auto fresh = fresh_index(directory);
  std::error_code error;
  std::filesystem::remove_all(fresh, error);
  if (error) return std::unexpected(resource::system_error(error.value(), "cannot remove", fresh));
  CHUNKER_TRY(const auto index, Index::open(fresh, Index::Access::write));
  return index_all_packs(blobs, *index, on_problem);
}

Result<void> put_fresh_index_in_place(const std::filesystem::path& directory) {
  // Never half an index under its name: the old one steps aside as a whole.
  const auto old = old_index(directory);
  std::error_code error;
  std::filesystem::remove_all(old, error);
  if (std::filesystem::exists(directory, error)) {
    CHUNKER_TRY_VOID(resource::rename_file(directory, old));
  }
  CHUNKER_TRY_VOID(resource::rename_file(fresh_index(directory), directory));
  CHUNKER_TRY_VOID(resource::sync_directory(directory.parent_path()));
  std::filesystem::remove_all(old, error);
  return {};
}

void remove_leftover_indexes(const std::filesystem::path& directory) {
  std::error_code ignored;  // They take space and do no other harm.
  std::filesystem::remove_all(old_index(directory), ignored);
  std::filesystem::remove_all(fresh_index(directory), ignored);
}

Result<void> replace_index(BlobStore& blobs, const std::filesystem::path& directory) {
  CHUNKER_TRY_VOID(make_fresh_index(blobs, directory, {}));
  {
    CHUNKER_TRY(const auto index, Index::open(fresh_index(directory), Index::Access::write));
    CHUNKER_TRY_VOID(index->forget_nameless());
  }
  return put_fresh_index_in_place(directory);
}

namespace {

Result<std::unordered_set<PackNumber>> numbers_of(const Index& index,
                                                  std::span<const std::string> keys) {
  std::unordered_set<PackNumber> numbers;
  for (const std::string& key : keys) {
    CHUNKER_TRY(const auto pack, index.pack(key));
    if (pack) numbers.insert(pack->number);
  }
  return numbers;
}

}  // namespace

/// The packs last: as long as they are known, the next writer finds them missing and starts this anew.
Result<void> forget_packs(BlobStore& blobs, Index& index, std::span<const std::string> keys) {
  CHUNKER_TRY(const auto going, numbers_of(index, keys));
  CHUNKER_TRY_VOID(forget_baseless(blobs, index, going));
  return index.forget_lost_packs(keys);
}

namespace {

Result<void> take_in(Store::Parts& parts, std::vector<ReadablePack> unknown) {
  CHUNKER_TRY_VOID(add_packs(*parts.blobs, *parts.index, std::move(unknown)));
  CHUNKER_TRY_VOID(parts.index->forget_nameless());
  // Deltas among them may need what is gone.
  return forget_baseless(*parts.blobs, *parts.index, {});
}

/// Only a replay of all packs gives names their true meaning.
Result<void> replay(Store::Parts& parts) {
  parts.index.reset();
  const auto directory = parts.directory / "index";
  CHUNKER_TRY_VOID(replace_index(*parts.blobs, directory));
  CHUNKER_TRY(parts.index, Index::open(directory, Index::Access::write, parts.memory));
  parts.forget_caches();
  return {};
}

}  // namespace

Result<void> reconcile(Store::Parts& parts) {
  CHUNKER_TRY(const Difference difference, compare(parts));
  std::vector<ReadablePack> unknown;
  for (const Listed& blob : difference.unknown) {
    CHUNKER_TRY_VOID(keep_readable(*parts.blobs, blob, unknown, {}));
  }
  CHUNKER_TRY(const std::uint64_t highest, parts.index->highest_sequence());
  const auto returned = std::ranges::partition(
      unknown, [highest](const ReadablePack& pack) { return pack.sequence > highest; });
  const bool came_back = !returned.empty();
  unknown.erase(returned.begin(), returned.end());
  // What is newer first: what is salvaged below must come behind it, and know of it.
  if (!unknown.empty()) CHUNKER_TRY_VOID(take_in(parts, std::move(unknown)));
  if (!difference.missing.empty()) {
    CHUNKER_TRY(const Salvaged salvaged, salvage(parts, difference.missing, Elsewhere::skip));
    CHUNKER_TRY(const auto going, numbers_of(*parts.index, salvaged.packs));
    CHUNKER_TRY_VOID(use_second_copies(*parts.blobs, *parts.index, going));
    CHUNKER_TRY_VOID(forget_packs(*parts.blobs, *parts.index, salvaged.packs));
    parts.forget_caches();
  }
  return came_back ? replay(parts) : Result<void>();
}

}  // namespace chunker::store
