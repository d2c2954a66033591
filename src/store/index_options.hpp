#pragma once

#include <rocksdb/options.h>

namespace chunker::store {

/// How the index uses RocksDB; the reasons are in index_options.cpp.
[[nodiscard]] rocksdb::Options index_options(bool for_writing);

}  // namespace chunker::store
