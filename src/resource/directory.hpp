#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "chunker/error.hpp"
#include "resource/file.hpp"

// Walking trees that others may change at the same time: every name is one step from an open
// directory, and no step follows a symlink. `at` is a directory's descriptor, `shown` the path
// for messages.
namespace chunker::resource {

/// As system_error(), for a name that was there a moment ago: that it is gone or of another type is
/// io_changed.
[[nodiscard]] Error walk_error(int error_number, std::string_view what,
                               const std::filesystem::path& shown);

/// Opens what is, and stays, the same file as `seen`; anything else is io_changed.
[[nodiscard]] Result<File> open_seen(int at, const std::string& name, const struct ::stat& seen,
                                     const std::filesystem::path& shown);

[[nodiscard]] Result<File> open_directory(int at, const std::string& name,
                                          const std::filesystem::path& shown);

/// All names but "." and "..", ascending bytewise.
[[nodiscard]] Result<std::vector<std::string>> names_in(const File& directory);

/// Empties a directory that nobody else uses, as far as the system allows.
void remove_all_in(const File& directory);

}  // namespace chunker::resource
