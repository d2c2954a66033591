#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "chunker/cpu_quota.hpp"
#include "chunker/error.hpp"
#include "chunker/ingest.hpp"
#include "chunker/store.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// While readers of other processes keep packs from being deleted. If they do not leave in half a minute, the
/// error store_locked says that.
enum class ReadersWait : std::uint8_t {
  begun,  ///< They have kept us for a second already.
  over,   ///< They have left.
};
/// Called by the thread that waits.
using OnReadersWait = std::function<void(ReadersWait)>;

struct GcOptions {
  /// A pack is rewritten once at least this share of its payload is garbage; one that is all
  /// garbage always goes. 0 takes every dead byte.
  double garbage_min = 0.05;
  bool dry_run = false;
  OnReadersWait on_wait{};
};

template <>
inline constexpr Threads threads_of<GcOptions> = Threads::movable;

struct GcReport {
  std::uint64_t packs_removed = 0;
  std::uint64_t packs_written = 0;
  std::uint64_t chunks_removed = 0;
  std::uint64_t bytes_before = 0;  ///< Of packs and chunk objects.
  std::uint64_t bytes_after = 0;
};

template <>
inline constexpr Threads threads_of<GcReport> = Threads::shared;

/// Takes away what no named NAR needs. Interrupted at any moment it leaves a consistent store, and
/// the next one goes on. Needs write access; waits for readers of other processes before it deletes
/// packs.
/// Errors:  store_*, io_*. Nothing that a NAR needs is ever deleted before its copy is durable.
/// Cost:    memory of about 60 bytes per live chunk; live frames of rewritten packs are copied as
///          they are.
[[nodiscard]] Result<GcReport> collect_garbage(Store& store, const GcOptions& options = {});

struct VerifyOptions {
  bool content = false;  ///< Decode and hash every stored byte, not only the structure.
  /// Take damaged packs out of the store; needs `content` and a store open for writing. What is intact in
  /// them is copied on, what is intact nowhere is forgotten, so that ingesting the NARs concerned again
  /// stores it anew. The packs themselves lie in `damaged/` afterwards, where nobody reads them.
  bool repair = false;
  unsigned threads = 0;  ///< 0 means one per available processor; `quota` may allow fewer.
  /// An item is a pack, and then a NAR. A time limit does not go with `repair`, which must know all that is damaged.
  CpuQuota quota{};
  std::stop_token stop{};
  /// What is worth knowing and hurts nobody: damaged copies of chunks that are whole where they are read.
  OnProblem on_note{};
  OnReadersWait on_wait{};  ///< Of a repair.
};

template <>
inline constexpr Threads threads_of<VerifyOptions> = Threads::movable;

struct VerifyReport {
  std::uint64_t packs = 0;
  std::uint64_t frames = 0;
  std::uint64_t chunks = 0;
  std::uint64_t nars = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t problems = 0;
  std::uint64_t nars_damaged = 0;  ///< Names whose NARs cannot be restored as things stand.
  // What was left out because the quota's time was used up, and may hold problems.
  std::uint64_t packs_not_reached = 0;
  std::uint64_t nars_not_reached = 0;  ///< All, if any pack was not.
  // What a repair did.
  std::uint64_t packs_set_aside = 0;
  std::uint64_t chunks_saved = 0;  ///< Intact ones, copied out of them.
  std::uint64_t chunks_lost = 0;   ///< Damaged ones, with no intact copy.

  /// Whether everything was looked at: only then are no problems good news.
  [[nodiscard]] bool is_complete() const noexcept {
    return packs_not_reached == 0 && nars_not_reached == 0;
  }
};

template <>
inline constexpr Threads threads_of<VerifyReport> = Threads::shared;

/// Checks packs, index and manifests against each other, and every byte with `content`. What was
/// cut off before it was acknowledged is no problem. With `repair` it says what was wrong, mends what can be
/// mended, and names every NAR that is to be ingested again; nothing more needs doing to be healed. With a time limit
/// in its quota it may end early, and the report says what it did not look at; the next call begins at the beginning.
/// Errors:  only those that make checking impossible, invalid_argument for the quota; problems found go to `on_problem`. With `repair`
///          also io_*, codec_*, store_*, store_locked if readers of other processes do not leave: nothing is lost
///          then, and it can be run again.
/// Cost:    memory of about 200 bytes per pack or chunk object, and 50 per damaged chunk.
[[nodiscard]] Result<VerifyReport> verify(const Store& store, const VerifyOptions& options,
                                          const OnProblem& on_problem,
                                          const OnProgress& on_progress = {});

/// Makes the index anew from the packs alone, and looks what is lost: every NAR whose manifest or chunks
/// no pack has goes to `on_problem`, and so do damaged packs. If the old index can be read, names that only
/// lost packs recorded are taken from it, so that they stay known until their NARs are ingested again or
/// removed. The store must not be open. The old index is replaced only when the new one is complete.
/// Errors:  store_*, io_*. Damage is none: it is in the report.
/// Cost:    reads every pack directory twice and every manifest once; memory of about 150 bytes per pack or
///          chunk object.
[[nodiscard]] Result<RebuildReport> rebuild_index(const std::filesystem::path& directory,
                                                  const OnProblem& on_problem = {});

}  // namespace chunker
