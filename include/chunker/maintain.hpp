#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "chunker/error.hpp"
#include "chunker/ingest.hpp"
#include "chunker/store.hpp"

namespace chunker {

struct GcOptions {
  /// A pack is rewritten once at least this share of its payload is garbage; one that is all
  /// garbage always goes. 0 takes every dead byte.
  double garbage_min = 0.05;
  bool dry_run = false;
};

struct GcReport {
  std::uint64_t packs_removed = 0;
  std::uint64_t packs_written = 0;
  std::uint64_t chunks_removed = 0;
  std::uint64_t bytes_before = 0;  ///< Of packs and chunk objects.
  std::uint64_t bytes_after = 0;
};

/// Takes away what no named NAR needs. Interrupted at any moment it leaves a consistent store, and
/// the next one goes on. Needs write access; waits for readers of other processes before it deletes
/// packs.
/// Errors:  store_*, io_*. Nothing that a NAR needs is ever deleted before its copy is durable.
/// Cost:    memory of about 40 bytes per live chunk; live frames of rewritten packs are copied as
///          they are.
[[nodiscard]] Result<GcReport> collect_garbage(Store& store, const GcOptions& options = {});

struct VerifyOptions {
  bool content = false;  ///< Decode and hash every stored byte, not only the structure.
  unsigned threads = 0;  ///< 0 means one per available processor.
  std::stop_token stop{};
};

struct VerifyReport {
  std::uint64_t packs = 0;
  std::uint64_t frames = 0;
  std::uint64_t chunks = 0;
  std::uint64_t nars = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t problems = 0;
  std::uint64_t nars_damaged = 0;  ///< NARs that cannot be restored as things stand.
};

/// Checks packs, index and manifests against each other, and every byte with `content`. What was
/// cut off before it was acknowledged is no problem. Errors: only those that make checking
/// impossible; problems found go to `on_problem`.
[[nodiscard]] Result<VerifyReport> verify(const Store& store, const VerifyOptions& options,
                                          const OnProblem& on_problem,
                                          const OnProgress& on_progress = {});

/// Makes the index anew from the packs alone. The store must not be open. The old index is replaced
/// only when the new one is complete.
[[nodiscard]] Result<RebuildReport> rebuild_index(const std::filesystem::path& directory,
                                                  const OnProblem& on_problem = {});

}  // namespace chunker
