#include "resource/descent.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/try.hpp"
#include "resource/directory.hpp"

namespace chunker::resource {
namespace {

Result<struct ::stat> status_of(const File& directory) {
  struct ::stat status{};
  if (::fstat(directory.descriptor(), &status) == 0) return status;
  return std::unexpected(
      system_error(errno, "cannot ask what this directory is", directory.path()));
}

}  // namespace

Result<void> Descent::enter(File directory) {
  if (levels_.size() >= kOpen && levels_[levels_.size() - kOpen].directory.is_open()) {
    Level& above = levels_[levels_.size() - kOpen];
    CHUNKER_TRY(const auto status, status_of(above.directory));
    above = {File(), status.st_dev, status.st_ino};
  }
  levels_.push_back({std::move(directory)});
  return {};
}

Result<void> Descent::leave() {
  const File left = std::move(levels_.back().directory);
  levels_.pop_back();
  if (levels_.empty() || current().is_open()) return {};
  Level& level = levels_.back();
  CHUNKER_TRY(level.directory, open_directory(left.descriptor(), "..", left.path().parent_path()));
  CHUNKER_TRY(const auto status, status_of(level.directory));
  if (status.st_dev == level.device && status.st_ino == level.inode) return {};
  return base::fail(ErrorCode::io_changed, "was moved while this was at work in it",
                    Error::kNoOffset, left.path().string());
}

}  // namespace chunker::resource
