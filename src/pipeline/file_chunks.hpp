#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "chunker/batch.hpp"
#include "chunker/bytes.hpp"
#include "pipeline/chunk_hash.hpp"
#include "pipeline/cpu_use.hpp"
#include "pipeline/memory_plan.hpp"
#include "pipeline/progress.hpp"
#include "refs/references.hpp"

namespace chunker::pipeline {

/// How files are cut and hashed: as ingest does.
struct FileCut {
  std::shared_ptr<const ResolvedOptions> chunking;
  ChunkHash hash;
  std::optional<refs::ReferenceNormalizer> normalizer;  ///< Copied for each file.
  bool profile_contents = false;
  std::stop_token stop;
  std::shared_ptr<CpuUse> cpu{};  ///< Null if nothing is asked of it.
  std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>();
  CutMemory memory{};  ///< Of all threads; may_share false keeps files from being cut by several.

  /// Errors: invalid_argument for options, a quota or a store prefix that are none, or another hash's cache;
  /// memory_limit_exceeded.
  [[nodiscard]] static Result<FileCut> make(const ChunkingOptions& chunking,
                                            const BatchOptions& batch);
};

/// How many threads of the current arena one file may have, its own included; asked while the file is read.
using ThreadsToSpare = std::function<unsigned()>;

/// Cuts and hashes one file. The buffer is the worker's, kept from file to file (R6.4). Once a file is known to be
/// large, threads that are to spare help (R8.4).
/// Errors: io_*, nar_*, cancelled, cpu_time_limit_exceeded.
[[nodiscard]] Result<FileChunks> chunk_file(const std::filesystem::path& path, const FileCut& cut,
                                            ByteBuffer& buffer, ProgressMeter& progress,
                                            const ThreadsToSpare& threads_to_spare);

}  // namespace chunker::pipeline
