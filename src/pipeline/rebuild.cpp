#include <memory>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/workers.hpp"
#include "resource/file.hpp"
#include "store/blob_local.hpp"
#include "store/description.hpp"
#include "store/manifest_reader.hpp"
#include "store/pack.hpp"
#include "store/reconcile.hpp"
#include "store/rewriter.hpp"
#include "store/salvage.hpp"

// A new index from the packs alone; then what the old one knew and the new one does not, and which NARs lack
// something.
namespace chunker {
namespace {

using store::Index;
using store::NameRecord;
using store::PackEntry;

class Losses {
 public:
  /// `parts` has the new index, open for writing.
  Losses(Store::Parts& parts, RebuildReport& report, const OnProblem& on_problem)
      : parts_(parts), report_(report), on_problem_(on_problem), names_(parts) {}

  Result<void> compare_with(const Index& old);
  Result<void> check_nars(bool can_read_pieces);

 private:
  void problem(Error error);
  Result<void> find_changed_names(const Index& old);
  Result<void> keep_name(const NameRecord& name);
  Result<void> keep_removed(const Index& old);
  Result<void> report_missing(const Index& old);
  Result<void> check_nar(const NameRecord& name, bool can_read_pieces);

  Store::Parts& parts_;
  RebuildReport& report_;
  const OnProblem& on_problem_;
  store::Rewriter names_;
  /// Names that packs which the old index does not know set or removed: it is behind on them.
  std::unordered_set<std::string> changed_;
  bool has_lost_packs_ = false;
};

void Losses::problem(Error error) {
  if (on_problem_) on_problem_(error);
}

Result<void> Losses::find_changed_names(const Index& old) {
  return parts_.index->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    CHUNKER_TRY(const auto known, old.pack(pack.key));
    if (known) return {};
    CHUNKER_TRY(const auto directory,
                store::read_pack_directory(*parts_.blobs, pack.key, pack.blob_bytes));
    for (const auto& record : directory.records) {
      if (const auto* name = std::get_if<NameRecord>(&record)) changed_.insert(name->name);
      if (const auto* removal = std::get_if<store::RemovalRecord>(&record)) {
        changed_.insert(removal->name);
      }
    }
    return {};
  });
}

Result<void> Losses::keep_name(const NameRecord& name) {
  CHUNKER_TRY(const auto now, parts_.index->name(name.name));
  if ((now && now->nar_sha256 == name.nar_sha256) || changed_.contains(name.name)) return {};
  ++report_.names_kept;
  if (!now) ++report_.nars;
  return names_.add(name);
}

/// A removal that only a lost pack recorded: its name is there again, and the old index, which knew the pack that set
/// it, says that it meant nothing any more.
Result<void> Losses::keep_removed(const Index& old) {
  return parts_.index->for_each_name([&](const NameRecord& name) -> Result<void> {
    CHUNKER_TRY(const auto before, old.name(name.name));
    if (before || changed_.contains(name.name)) return {};
    --report_.nars;
    return names_.add(store::RemovalRecord{name.name});
  });
}

Result<void> Losses::report_missing(const Index& old) {
  return old.for_each_pack([&](const PackEntry& pack) -> Result<void> {
    CHUNKER_TRY(const auto known, parts_.index->pack(pack.key));
    // One that is there and damaged was reported as such.
    if (known) return {};
    has_lost_packs_ = true;
    if (parts_.blobs->size(pack.key)) return {};
    ++report_.packs_missing;
    problem({ErrorCode::store_chunk_missing, "a pack that the old index knew is missing",
             Error::kNoOffset, pack.key});
    return {};
  });
}

Result<void> Losses::compare_with(const Index& old) {
  CHUNKER_TRY_VOID(find_changed_names(old));
  CHUNKER_TRY_VOID(report_missing(old));
  CHUNKER_TRY_VOID(old.for_each_chunk([this](const auto& chunk) -> Result<void> {
    CHUNKER_TRY(const auto known, parts_.index->chunk(chunk.first));
    if (!known) ++report_.chunks_lost;
    return {};
  }));
  CHUNKER_TRY_VOID(old.for_each_name([this](const NameRecord& name) { return keep_name(name); }));
  if (has_lost_packs_) CHUNKER_TRY_VOID(keep_removed(old));
  report_.compared = true;
  return names_.close();
}

Result<void> Losses::check_nar(const NameRecord& name, bool can_read_pieces) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts_, name.nar_sha256));
  for (const Digest& piece : head.pieces()) CHUNKER_TRY_VOID(parts_.locate(piece));
  if (!head.chunk_list.pieces.empty() && !can_read_pieces) return {};
  CHUNKER_TRY(const auto chunks, store::read_chunk_list(parts_, head));
  for (const ChunkReference& chunk : chunks) CHUNKER_TRY_VOID(parts_.locate(chunk.digest));
  return {};
}

Result<void> Losses::check_nars(bool can_read_pieces) {
  return parts_.index->for_each_name([&](const NameRecord& name) -> Result<void> {
    auto checked = check_nar(name, can_read_pieces);
    if (checked) return {};
    Error error = std::move(checked).error();
    if (retry(error.code) != Retry::never) return std::unexpected(std::move(error));
    ++report_.nars_damaged;
    if (error.code == ErrorCode::store_not_found) error.what = "the NAR's manifest is lost";
    error.code = ErrorCode::store_chunk_missing;
    problem(std::move(error).within(name.name));
    return {};
  });
}

/// The old index, if there is one that can be opened.
std::unique_ptr<Index> open_old(const std::filesystem::path& directory) {
  auto aside = directory;  // Where it is if putting a new one in its place was cut off.
  aside += ".old";
  std::error_code ignored;
  const bool there = std::filesystem::exists(directory, ignored);
  auto old = Index::open(there ? directory : aside, Index::Access::read);
  return old ? *std::move(old) : nullptr;
}

/// A store without its index.
struct Opened {
  Opened(const std::filesystem::path& directory, const store::Description& description)
      : hash(HashAlgorithm::named(description.hash)) {
    parts.directory = directory;
    parts.options.layout = description.layout;
    if (hash) parts.options.hash = *hash;
    parts.blobs = std::make_unique<store::LocalBlobStore>(directory);
  }

  Result<HashAlgorithm> hash;
  Store::Parts parts;
};

/// What lies in packs whose directories cannot be read: only the old index knows where, and it is about to be replaced.
Result<void> salvage_unreadable(const std::filesystem::path& directory,
                                const store::Description& description) {
  Opened store(directory, description);
  std::error_code ignored;
  if (!store.hash || !std::filesystem::exists(directory / "index" / "CURRENT", ignored)) return {};
  auto old = Index::open(directory / "index", Index::Access::write);
  if (!old) return {};
  store.parts.index = *std::move(old);
  std::vector<std::string> unreadable;
  CHUNKER_TRY_VOID(store.parts.index->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    const auto read = store::read_pack_directory(*store.parts.blobs, pack.key, pack.blob_bytes);
    if (!read && store::is_damage(read.error().code)) unreadable.push_back(pack.key);
    return {};
  }));
  if (unreadable.empty()) return {};
  // Names are left to Losses, which knows what the old index is behind on.
  CHUNKER_TRY_VOID(
      store::salvage(store.parts, unreadable, store::Elsewhere::look, store::Names::leave));
  return {};
}

Result<void> look_for_losses(const std::filesystem::path& directory,
                             const store::Description& description, RebuildReport& report,
                             const OnProblem& on_problem) {
  Opened store(directory, description);
  Store::Parts& parts = store.parts;
  CHUNKER_TRY(parts.index,
              Index::open(store::fresh_index(directory / "index"), Index::Access::write));
  Losses losses(parts, report, on_problem);
  if (const auto old = open_old(directory / "index")) {
    const auto compared = losses.compare_with(*old);
    // Damage may show only while it is read; it is about to be replaced.
    if (!compared && compared.error().code != ErrorCode::store_corrupt) return compared;
  }
  CHUNKER_TRY_VOID(parts.index->forget_nameless());
  return losses.check_nars(store.hash.has_value());
}

Result<RebuildReport> rebuild(const std::filesystem::path& directory, const OnProblem& on_problem) {
  CHUNKER_TRY(const auto description, store::read_description(directory));
  CHUNKER_TRY(const auto lock, resource::FileLock::try_exclusive(directory / "lock"));
  const auto index = directory / "index";
  if (auto salvaged = salvage_unreadable(directory, description); !salvaged) {
    // The old index itself may be damaged.
    if (!store::is_damage(salvaged.error().code)) return std::unexpected(salvaged.error());
  }
  store::LocalBlobStore blobs(directory);
  CHUNKER_TRY(auto report, store::make_fresh_index(blobs, index, on_problem));
  CHUNKER_TRY_VOID(look_for_losses(directory, description, report, on_problem));
  CHUNKER_TRY_VOID(store::put_fresh_index_in_place(index));
  return report;
}

}  // namespace

Result<RebuildReport> rebuild_index(const std::filesystem::path& directory,
                                    const OnProblem& on_problem) {
  return pipeline::catching([&] { return rebuild(directory, on_problem); });
}

}  // namespace chunker
