#include "resource/descriptors.hpp"

#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

namespace chunker::resource {
namespace {

constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();

std::size_t open_descriptors() noexcept {
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir("/dev/fd"), close);
  if (directory == nullptr) return kUnknown;
  std::size_t count = 0;
  while (::readdir(directory.get()) != nullptr) ++count;
  return std::max<std::size_t>(count, 3) - 3;  // ".", ".." and the directory itself.
}

}  // namespace

std::size_t descriptors_left() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnknown;
  const std::size_t open = open_descriptors();
  const auto allowed = static_cast<std::size_t>(limit.rlim_cur);
  // Where not even the directory can be opened, there is none left; elsewhere there may be no such directory.
  if (open == kUnknown) return errno == EMFILE || errno == ENFILE ? 0 : kUnknown;
  return allowed - std::min(allowed, open);
}

}  // namespace chunker::resource
