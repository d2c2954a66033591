#pragma once

#include <stop_token>
#include <vector>

#include "chunker/chunking.hpp"
#include "cli/bench_content.hpp"
#include "cli/bench_way.hpp"

// What happens to content between its file and its store, each stage for itself, on one thread. The ways borrow
// the content.
namespace chunker::cli {

/// FastCDC by every kernel that the processor runs, on plain bytes; NARs parsed and cut, blind and aligned.
[[nodiscard]] Result<std::vector<BenchWay>> cutting_ways(const BenchContent& content,
                                                         const ChunkingOptions& options);

/// The chunks by each hash, one by one and many together, and whole NARs by SHA-256.
[[nodiscard]] Result<std::vector<BenchWay>> hashing_ways(const BenchContent& content,
                                                         const ChunkingOptions& options);

/// zstd, zstd_x86 and lz4, as far as this build has them, there and back, in frames of at most 1 MiB. A wish to stop
/// is heard between frames.
[[nodiscard]] Result<std::vector<BenchWay>> coding_ways(const BenchContent& content,
                                                        const std::stop_token& stop);

/// How long it takes, in microseconds, to cut, to hash by BLAKE3 and to compress by the default codec 1 MB (10^6
/// bytes), for every whole one of the content, `runs` times.
[[nodiscard]] Result<std::vector<double>> megabyte_latencies(const BenchContent& content,
                                                             unsigned runs,
                                                             const std::stop_token& stop);

}  // namespace chunker::cli
