#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/workers.hpp"
#include "resource/file.hpp"
#include "store/blob_local.hpp"
#include "store/description.hpp"
#include "store/reconcile.hpp"

namespace chunker {

Result<RebuildReport> rebuild_index(const std::filesystem::path& directory,
                                    const OnProblem& on_problem) {
  return pipeline::catching([&]() -> Result<RebuildReport> {
    CHUNKER_TRY_VOID(store::read_description(directory));
    auto lock = resource::FileLock::try_exclusive(directory / "lock");
    if (!lock) return std::unexpected(std::move(lock).error());
    store::LocalBlobStore blobs(directory);
    return store::replace_index(blobs, directory / "index", on_problem);
  });
}

}  // namespace chunker
