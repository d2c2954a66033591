#include "store/index_options.hpp"

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdarg>
#include <memory>

namespace chunker::store {
namespace {

constexpr int kOpenFilesMax = 128;
constexpr double kBloomBitsPerKey =
    10;  // One look-up in a hundred for an absent key reads a block.
constexpr double kMemoryFilterShare = 0.02;  // Of a buffer for writes: some ten bits per entry.

// RocksDB's own log would be most of a small index, and nobody reads it.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Digests are random, so neither an index nor a filter over all of them may have to fit into memory: both
// are cut into blocks of their own that share the cache with the data. Without this, look-ups of absent keys
// fell from 131 k/s to 1.3 k/s in 256 MB.
rocksdb::BlockBasedTableOptions table_options(const IndexMemory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.block_cache();
  table.cache_index_and_filter_blocks = true;
  table.pin_top_level_index_and_filter = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  return table;
}

}  // namespace

rocksdb::Options index_options(bool for_writing, const IndexMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = for_writing;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(memory)));
  // zstd would take a tenth off (of many small NARs a quarter), less than a 4000th of a store of real ones; and each
  // look-up that reads would unpack a block.
  options.compression = rocksdb::kNoCompression;
  options.max_file_opening_threads =
      1;  // A thread costs more than it saves on the few files of an index.
  options.write_buffer_size = memory.write_buffer_bytes();
  options.max_write_buffer_number = IndexMemory::kWriteBuffers;
  // Most look-ups are of what is not there, and the newest entries are in no file with a filter yet.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = kMemoryFilterShare;
  options.level_compaction_dynamic_level_bytes =
      true;                                 // At most a tenth of the bytes are superseded.
  options.target_file_size_multiplier = 2;  // Fewer descriptors for big indexes.
  // A reader opens every file at once: the writer may delete any of them later, when it compacts.
  options.max_open_files = for_writing ? kOpenFilesMax : -1;
  // What follows keeps a small index small.
  options.info_log = std::make_shared<NoLog>();
  options.keep_log_file_num = 1;
  options.allow_fallocate = false;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

}  // namespace chunker::store
