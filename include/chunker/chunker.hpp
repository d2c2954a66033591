#pragma once

// The library at a glance, in the order in which bytes flow. Every header stands alone; this one is for
// reading, and for programs that want it all.

// Ground
#include "chunker/algorithm.hpp"      // what algorithms are called
#include "chunker/algorithm_use.hpp"  // what each of them has done
#include "chunker/bytes.hpp"          // borrowed and owned bytes
#include "chunker/cpu_quota.hpp"      // CpuQuota: CPU that operations may use
#include "chunker/digest.hpp"         // 32 bytes that name something
#include "chunker/error.hpp"          // Result, ErrorCode, whether to retry
#include "chunker/log.hpp"            // what an operator must know that no Result tells
#include "chunker/memory_budget.hpp"  // MemoryBudget: memory that operations and caches share
#include "chunker/scratch_pool.hpp"   // ScratchPool: buffers between operations
#include "chunker/threads.hpp"        // shared, movable, confined

// From a file tree to a NAR and back
#include "chunker/nar.hpp"          // NarParser, NarWriter
#include "chunker/nar_listing.hpp"  // Nix's .ls
#include "chunker/nar_tree.hpp"     // dump_tree, unpacking
#include "chunker/sink.hpp"         // where bytes go

// From bytes to chunks
#include "chunker/async_chunk_stream.hpp"  // AsyncChunkStream: the same for coroutines
#include "chunker/chunk.hpp"               // ChunkExtent
#include "chunker/chunk_stream.hpp"  // ChunkStream: one after the other, in short steps if asked
#include "chunker/chunking.hpp"      // ChunkingOptions, NarAwareChunker
#include "chunker/recipe.hpp"        // everything that decides cut points
#include "chunker/references.hpp"    // the store hashes inside a NAR, taken out before it is cut

// From chunks to digests and frames
#include "chunker/algorithm_registry.hpp"  // AlgorithmRegistry: all there are, ours and the caller's
#include "chunker/batch_compression.hpp"   // batch_compress
#include "chunker/benchmark.hpp"           // benchmark_codecs
#include "chunker/codec.hpp"               // CompressionCodec, CodecRegistry, CompressionStrategy
#include "chunker/content_type.hpp"      // what bytes are, and whether compressing them is in vain
#include "chunker/dictionary.hpp"        // zstd's, for contents that are small and alike
#include "chunker/dictionary_cache.hpp"  // DictionaryCache
#include "chunker/dictionary_training.hpp"  // DictionaryTrainer
#include "chunker/hash.hpp"                 // HashAlgorithm, Sha256Stream
#include "chunker/hash_cache.hpp"           // HashCache
#include "chunker/memory_chunker.hpp"       // MemoryChunker: bytes in memory, with caching hints
#include "chunker/sign.hpp"                 // Ed25519 keys and signatures as Nix has them

// From frames to a store and back
#include "chunker/batch.hpp"     // batch_chunk_files
#include "chunker/ingest.hpp"    // NARs in
#include "chunker/maintain.hpp"  // collect_garbage, verify, rebuild_index
#include "chunker/manifest.hpp"  // the list that rebuilds one NAR
#include "chunker/restore.hpp"   // NARs out
#include "chunker/store.hpp"     // Store
