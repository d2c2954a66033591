#pragma once

#include "chunker/maintain.hpp"
#include "resource/file.hpp"
#include "store/parts.hpp"

namespace chunker::pipeline {

/// Alone with the packs, for whoever takes some away: readers of other processes may still hold locations
/// in them, and are waited for up to half a minute. Errors: store_locked, io_*.
[[nodiscard]] Result<resource::FileLock> lock_out_readers(const Store::Parts& parts,
                                                          const OnReadersWait& on_wait);

}  // namespace chunker::pipeline
