#pragma once

#include <rocksdb/options.h>

#include "store/index_memory.hpp"

namespace chunker::store {

/// How the index uses RocksDB; the reasons are in index_options.cpp.
[[nodiscard]] rocksdb::Options index_options(bool for_writing, const IndexMemory& memory);

}  // namespace chunker::store
