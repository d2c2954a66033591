#include "chunker/store.hpp"

#include <shared_mutex>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "base/try.hpp"
#include "store/blob_local.hpp"
#include "store/description.hpp"
#include "store/frame_reader.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"
#include "store/reconcile.hpp"
#include "store/second_look.hpp"

namespace chunker {
namespace {

using base::fail;
using store::Index;

Result<store::Description> describe_or_create(const std::filesystem::path& directory,
                                              const StoreOptions& options) {
  auto description = store::read_description(directory);
  if (description || description.error().code != ErrorCode::store_not_found ||
      options.access != StoreAccess::write || !options.create) {
    return description;
  }
  return store::create_description(directory, options.layout, options.hash.name());
}

Result<HashAlgorithm> hash_of(const store::Description& description, const StoreOptions& options) {
  if (description.hash == options.hash.name()) return options.hash;
  return HashAlgorithm::named(description.hash);
}

Result<void> take_locks(Store::Parts& parts) {
  if (parts.options.access == StoreAccess::write) {
    auto lock = resource::FileLock::try_exclusive(parts.directory / "lock");
    if (!lock && lock.error().code == ErrorCode::store_locked) {
      return fail(ErrorCode::store_locked, "another process is writing to this store",
                  Error::kNoOffset, parts.directory.string());
    }
    if (!lock) return std::unexpected(std::move(lock).error());
    parts.writer_lock = *std::move(lock);
    // So that readers who may not write here find a file to lock.
    CHUNKER_TRY_VOID(resource::FileLock::make(parts.directory / "readers"));
    return {};
  }
  auto lock = resource::FileLock::try_shared(parts.directory / "readers");
  if (lock) {
    parts.reader_lock = *std::move(lock);
    return {};
  }
  if (lock.error().code == ErrorCode::store_locked) {
    return fail(ErrorCode::store_locked, "garbage collection is deleting packs just now",
                Error::kNoOffset, parts.directory.string());
  }
  // A reader who may not write there cannot lock; it then only risks an error if gc runs meanwhile.
  if (lock.error().code == ErrorCode::io_permission) return {};
  return std::unexpected(std::move(lock).error());
}

Result<void> open_for_writing(Store::Parts& parts) {
  const auto index = parts.directory / "index";
  std::error_code error;
  if (!std::filesystem::exists(index, error)) {
    CHUNKER_TRY_VOID(store::replace_index(*parts.blobs, index));
  }
  store::remove_leftover_indexes(index);
  CHUNKER_TRY(parts.index, Index::open(index, Index::Access::write, parts.memory));
  return store::reconcile(parts);
}

}  // namespace

Store::Store(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& directory, StoreOptions options) {
  CHUNKER_TRY(const auto description, describe_or_create(directory, options));
  CHUNKER_TRY(options.hash, hash_of(description, options));
  options.layout = description.layout;
  base::warn_if_deprecated(options.hash.info());
  for (const CompressionCodec& codec : options.codecs->codecs()) {
    base::warn_if_deprecated(codec.info());
  }
  auto parts = std::make_unique<Parts>(options.memory_budget);
  parts->directory = directory;
  parts->options = std::move(options);
  CHUNKER_TRY_VOID(take_locks(*parts));
  auto blobs = std::make_unique<store::LocalBlobStore>(directory);
  if (parts->options.access == StoreAccess::write) CHUNKER_TRY_VOID(blobs->empty_temporary());
  parts->blobs = std::move(blobs);
  if (parts->options.access == StoreAccess::write) {
    CHUNKER_TRY_VOID(open_for_writing(*parts));
  } else {
    CHUNKER_TRY(parts->index, Index::open(directory / "index", Index::Access::read, parts->memory));
  }
  return Store(std::move(parts));
}

Store::Parts& Store::parts() const noexcept { return *parts_; }
StoreLayout Store::layout() const noexcept { return parts_->options.layout; }
const HashAlgorithm& Store::hash() const noexcept { return parts_->options.hash; }
const std::filesystem::path& Store::directory() const noexcept { return parts_->directory; }

Result<void> Store::list(const std::function<Result<void>(const StoredNar&)>& visit) const {
  return parts_->index->for_each_name([&](const store::NameRecord& record) -> Result<void> {
    StoredNar nar{record.name, record.nar_sha256, 0, 0, record.added_unix_seconds};
    CHUNKER_TRY(const auto manifest, parts_->index->manifest(record.nar_sha256));
    if (manifest) {
      nar.nar_bytes = manifest->nar_bytes;
      nar.chunk_count = manifest->chunk_count;
    }
    return visit(nar);
  });
}

Result<Manifest> Store::manifest(const Digest& nar_sha256) const {
  const std::shared_lock reading(parts_->reading);
  return store::with_second_look(
      *parts_, [&](Parts& parts) { return store::read_manifest(parts, nar_sha256); });
}

Result<void> Store::read_chunk(const Digest& digest, ByteBuffer& output) const {
  const std::shared_lock reading(parts_->reading);
  return store::with_second_look(*parts_, [&](Parts& parts) {
    store::FrameReader reader(parts);
    return store::fetch_pieces(parts, reader)(digest, output);
  });
}

Result<void> Store::remove(std::span<const std::string> names) {
  if (parts_->options.access != StoreAccess::write) {
    return fail(ErrorCode::invalid_argument, "the store is open for reading only");
  }
  const base::Lock writing(parts_->writing);
  CHUNKER_TRY_VOID(parts_->check_settled());
  for (const std::string& name : names) {
    CHUNKER_TRY(const auto record, parts_->index->name(name));
    if (!record) {
      return fail(ErrorCode::store_not_found, "the store has no NAR of this name", Error::kNoOffset,
                  name);
    }
  }
  if (names.empty()) return {};
  CHUNKER_TRY(auto pack, store::PackWriter::begin(*parts_));
  for (const std::string& name : names) CHUNKER_TRY_VOID(pack.add_removal({name}));
  CHUNKER_TRY(const std::uint64_t highest, parts_->index->highest_sequence());
  return pack.commit(highest + 1);
}

std::string_view name(StoreLayout layout) noexcept {
  switch (layout) {
    case StoreLayout::packs:
      return "packs";
    case StoreLayout::objects:
      return "objects";
  }
  return "packs";
}

}  // namespace chunker
