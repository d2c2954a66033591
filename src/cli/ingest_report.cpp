#include "cli/ingest_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::cli {
namespace {

Json object_of(const IngestedNar& nar) {
  return {{"kind", "nar"},
          {"name", json_text(nar.name)},
          {"nar_sha256", nar.nar_sha256.hex()},
          {"nar_hash", nix_hash(nar.nar_sha256)},
          {"nar_bytes", nar.nar_bytes},
          {"references", nar.references},
          {"chunks", nar.chunks},
          {"new_chunks", nar.new_chunks},
          {"new_raw_bytes", nar.new_raw_bytes},
          {"new_stored_bytes", nar.new_stored_bytes},
          {"delta_raw_bytes", nar.delta_raw_bytes},
          {"delta_stored_bytes", nar.delta_stored_bytes},
          {"algorithms", json_of(nar.algorithms)}};
}

// What kept the sum small, as far as there is anything.
std::string savings_of(const IngestedNar& sum) {
  std::vector<std::string> parts;
  if (sum.nar_bytes > sum.new_raw_bytes) {
    parts.push_back(human_bytes(sum.nar_bytes - sum.new_raw_bytes) + " duplicates");
  }
  if (sum.delta_raw_bytes != 0) {
    parts.push_back(fmt::format("{} as deltas of {}", human_bytes(sum.delta_raw_bytes),
                                human_bytes(sum.delta_stored_bytes)));
  }
  if (sum.references != 0) parts.push_back(counted(sum.references, "reference") + " taken out");
  if (parts.empty()) return {};
  return fmt::format("of {}: {}", human_bytes(sum.nar_bytes), fmt::join(parts, ", "));
}

}  // namespace

void IngestReport::add(const Result<IngestedNar>& result) {
  if (!result) return add_failure(result.error());
  const std::string& older = result->older_kept_as;
  ++nars_;
  total_.nar_bytes += result->nar_bytes;
  total_.references += result->references;
  total_.chunks += result->chunks;
  total_.new_chunks += result->new_chunks;
  total_.new_raw_bytes += result->new_raw_bytes;
  total_.new_stored_bytes += result->new_stored_bytes;
  total_.delta_raw_bytes += result->delta_raw_bytes;
  total_.delta_stored_bytes += result->delta_stored_bytes;
  add_uses(total_.algorithms, result->algorithms);
  if (console_.json()) {
    Json object = object_of(*result);
    if (!older.empty()) object["older_kept_as"] = json_text(older);
    console_.print_json(object);
  } else if (!console_.quiet()) {
    console_.print(fmt::format("{:>10}  {:>10} new  {}", human_bytes(result->nar_bytes),
                               human_bytes(result->new_stored_bytes), printable(result->name)));
  }
  console_.flush();
  if (!older.empty()) {
    console_.note(fmt::format("another NAR was called {}; it is kept as {}",
                              printable(result->name), printable(older)));
  }
}

void IngestReport::add_failure(const Error& error) {
  const bool is_late = error.code == ErrorCode::cpu_time_limit_exceeded;
  if (is_late || error.code == ErrorCode::cancelled) {
    is_late_ |= is_late;
    ++not_reached_;
    return;
  }
  ++failed_;
  exit_ = worse(exit_of(error.code), exit_);
  // One message is enough for a full disk, which fails everything that follows.
  if (error.code != ErrorCode::io_no_space || !std::exchange(full_, true)) {
    console_.report(error);
  } else if (console_.json()) {
    console_.print_json(json_of(error, "error"));
  }
}

void IngestReport::add_error(const Error& error) {
  const bool told =
      error.code == ErrorCode::cancelled || (error.code == ErrorCode::io_no_space && full_);
  if (!told) console_.report(error);
  exit_ = worse(exit_of(error.code), exit_);
}

std::string IngestReport::summary(double seconds) const {
  const auto rate = static_cast<double>(total_.nar_bytes) / std::max(seconds, 1e-9);
  std::string line =
      fmt::format("{}, {} in {} ({}/s): {} of {} new, {} written", counted(nars_, "NAR"),
                  human_bytes(total_.nar_bytes), duration(seconds),
                  human_bytes(static_cast<std::uint64_t>(rate)), with_commas(total_.new_chunks),
                  counted(total_.chunks, "chunk"), human_bytes(total_.new_stored_bytes));
  if (failed_ != 0) line += fmt::format("; {} failed", with_commas(failed_));
  if (not_reached_ != 0) line += fmt::format("; {} not reached", with_commas(not_reached_));
  if (skipped_ != 0) line += fmt::format("; {} stored before", with_commas(skipped_));
  return line;
}

void IngestReport::add_cpu(Json& object) const {
  object["cpu_seconds"] = std::chrono::duration<double>(resource::process_cpu_time()).count();
  object["threads"] = share_.threads;
  object["nice_level"] = share_.nice_level;
  if (share_.cpu_time_limit_ms == 0) return;
  object["cpu_time_limit_seconds"] = static_cast<double>(share_.cpu_time_limit_ms) / 1000;
  object["cpu_time_limit_exceeded"] = is_late_;
}

void IngestReport::say_sum() const {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  if (console_.json()) {
    Json object = object_of(total_);
    object.erase("name");
    object.erase("nar_sha256");
    object.erase("nar_hash");
    object["kind"] = "summary";
    object["nars"] = nars_;
    object["failed"] = failed_;
    object["not_reached"] = not_reached_;
    object["skipped"] = skipped_;
    object["elapsed_seconds"] = seconds;
    add_cpu(object);
    memory_.add_usage(object);
    console_.print_json(object);
  } else {
    console_.print(summary(seconds));
    if (const std::string savings = savings_of(total_); !savings.empty()) console_.print(savings);
  }
}

Exit IngestReport::finish() {
  if (exit_ == Exit::ok || nars_ + failed_ + not_reached_ + skipped_ != 0) say_sum();
  if (exit_ == Exit::interrupted && SignalWatch::received() != 0) {
    console_.note(fmt::format("stopped by {}: {} stored, {} not", SignalWatch::received_name(),
                              counted(nars_, "NAR"), with_commas(failed_ + not_reached_)));
  }
  return exit_;
}

}  // namespace chunker::cli
