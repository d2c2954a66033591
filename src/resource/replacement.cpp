#include "resource/replacement.hpp"

#include <random>
#include <string>
#include <system_error>

#include "base/try.hpp"

namespace chunker::resource {
namespace {

/// Beside `path`, so that renaming stays within one file system; unique among processes and threads.
std::filesystem::path unfinished_path(const std::filesystem::path& path) {
  // Not the process id: in a container that is 1 each time, also for the one that was killed before.
  std::random_device random;
  auto name = path.filename().string().substr(0, 200);
  name = "." + name + ".partial-" + std::to_string(random()) + "-" + std::to_string(random());
  return path.parent_path() / name;
}

}  // namespace

Result<Replacement> Replacement::begin(const std::filesystem::path& asked) {
  std::error_code error;
  const auto status = std::filesystem::status(asked, error);
  if (std::filesystem::is_directory(status)) {
    return base::fail(ErrorCode::invalid_argument, "the output is a directory", Error::kNoOffset,
                      asked.string());
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    CHUNKER_TRY(File file, File::open_write(asked));
    return Replacement(std::move(file), asked, true);
  }
  // What a link leads to is replaced, not the link (/dev/stdout is one).
  auto path = asked;
  if (std::filesystem::is_symlink(asked, error)) {
    path = std::filesystem::weakly_canonical(asked, error);
    if (error) {
      return std::unexpected(system_error(error.value(), "cannot follow this link", asked));
    }
  }
  CHUNKER_TRY(File file, File::create_new(unfinished_path(path)));
  return Replacement(std::move(file), path, false);
}

Replacement::~Replacement() {
  if (!file_.is_open() || direct_) return;
  (void)remove_file(file_.path());
}

Result<void> Replacement::commit() {
  const auto unfinished = file_.path();
  if (auto closed = file_.close(); !closed) {
    if (!direct_) (void)remove_file(unfinished);
    return closed;
  }
  if (direct_) return {};
  auto renamed = rename_file(unfinished, path_);
  if (!renamed) (void)remove_file(unfinished);
  return renamed;
}

}  // namespace chunker::resource
