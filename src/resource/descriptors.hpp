#pragma once

#include <cstddef>

namespace chunker::resource {

/// How many more files this process may open now (RLIMIT_NOFILE). A large number where the system does not tell how
/// many are open.
/// Cost: reads a directory with an entry for each open file.
[[nodiscard]] std::size_t descriptors_left() noexcept;

}  // namespace chunker::resource
