#pragma once

#include <span>
#include <string>

#include "chunker/error.hpp"
#include "chunker/maintain.hpp"
#include "store/parts.hpp"
#include "store/salvage.hpp"

namespace chunker::pipeline {

/// Takes damaged packs out of the store, once what is intact in them is durable elsewhere: they are renamed to
/// `damaged/` and their key, where nobody reads them, and the index forgets what was nowhere intact, so that
/// the next ingest stores it anew (doc/adr/0040). Cut off at any moment it leaves a store that loses nothing by
/// it, and the next repair goes on.
/// Threads: the caller holds `parts.writing`; waits for readers.
/// Errors:  those of salvage(); store_locked if readers do not leave.
/// Cost:    that of salvage().
[[nodiscard]] Result<store::Salvaged> set_aside(Store::Parts& parts,
                                                std::span<const std::string> keys,
                                                const OnReadersWait& on_wait);

}  // namespace chunker::pipeline
