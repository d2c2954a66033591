#include <shared_mutex>
#include <string>
#include <utility>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "pipeline/repair.hpp"
#include "pipeline/verify_findings.hpp"
#include "pipeline/workers.hpp"
#include "store/parts.hpp"

// fsck: packs against the directory listing, packs against their own directories, the index against both, and
// every NAR against what was found to be sound.
namespace chunker {
namespace {

using pipeline::CheckedPacks;
using pipeline::Findings;
using pipeline::VerifyMeans;

/// Of the packs alone, since too few of them are known to say anything of the NARs.
Result<VerifyReport> partial_report(Store::Parts& parts, const CheckedPacks& packs,
                                    const Findings& findings) {
  VerifyReport report = packs.report;
  report.problems = findings.problem_count();
  CHUNKER_TRY_VOID(parts.index->for_each_name([&](const store::NameRecord&) -> Result<void> {
    ++report.nars_not_reached;
    return {};
  }));
  return report;
}

Result<VerifyReport> check(Store::Parts& parts, const VerifyOptions& options, Findings& findings,
                           const OnProgress& on_progress) {
  const std::shared_lock reading(parts.reading);
  CHUNKER_TRY(const auto means, VerifyMeans::make(parts, options));
  CHUNKER_TRY(CheckedPacks packs,
              pipeline::check_packs(parts, options, means, findings, on_progress));
  if (!packs.report.is_complete()) return partial_report(parts, packs, findings);
  return pipeline::check_use(parts, options, means, findings, std::move(packs));
}

void tell(const store::Salvaged& salvaged, const OnProblem& on_note) {
  if (!on_note) return;
  for (const Digest& digest : salvaged.chunks_lost) {
    on_note({ErrorCode::store_chunk_missing, "no intact copy of this chunk is left",
             Error::kNoOffset, digest.hex()});
  }
  for (const std::string& key : salvaged.packs) {
    on_note({ErrorCode::store_corrupt, "this pack was damaged and lies in damaged/ now",
             Error::kNoOffset, key});
  }
}

/// Every byte first; then, with the damage out of the way, what is needed and no longer there.
Result<VerifyReport> check_and_repair(Store::Parts& parts, const VerifyOptions& options,
                                      Findings& findings, const OnProgress& on_progress) {
  const base::Lock writing(parts.writing);
  CHUNKER_TRY_VOID(parts.check_settled());
  CheckedPacks packs;
  {
    const std::shared_lock reading(parts.reading);
    CHUNKER_TRY(const auto means, VerifyMeans::make(parts, options));
    CHUNKER_TRY(packs, pipeline::check_packs(parts, options, means, findings, on_progress));
    if (packs.damaged_keys.empty()) {
      return pipeline::check_use(parts, options, means, findings, std::move(packs));
    }
  }
  CHUNKER_TRY(const auto salvaged, pipeline::set_aside(parts, packs.damaged_keys, options.on_wait));
  tell(salvaged, options.on_note);
  auto structure = options;
  structure.content = false;
  CHUNKER_TRY(auto report, check(parts, structure, findings, {}));
  report.bytes_read = packs.report.bytes_read;
  report.packs_set_aside = salvaged.packs.size();
  report.chunks_saved = salvaged.chunks_copied;
  report.chunks_lost = salvaged.chunks_lost.size();
  return report;
}

}  // namespace

Result<VerifyReport> verify(const Store& store, const VerifyOptions& options,
                            const OnProblem& on_problem, const OnProgress& on_progress) {
  Store::Parts& parts = store.parts();
  const bool can_repair = options.content && parts.options.access == StoreAccess::write;
  if (options.repair && !can_repair) {
    return base::fail(ErrorCode::invalid_argument,
                      "repairing needs every byte checked, and a store open for writing");
  }
  if (options.repair && options.quota.cpu_time_limit_ms != 0) {
    return base::fail(ErrorCode::invalid_argument,
                      "repairing needs every byte checked, and so no limit of CPU time");
  }
  Findings findings(options, on_problem);
  const auto run = options.repair ? check_and_repair : check;
  return pipeline::within_quota(options.quota,
                                [&] { return run(parts, options, findings, on_progress); });
}

}  // namespace chunker
