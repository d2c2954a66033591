#include <fmt/format.h>

#include <memory>

#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kVerifyExamples = R"(
Checks that packs, index and manifests fit together; with --content also that every
stored byte still hashes to its name. What was never acknowledged is no damage.
Each problem is a message; the exit code is 1 if there was any.

--repair copies what is intact out of damaged packs, moves them into the store's
damaged/ and names the NARs to ingest again, which heals the store.

--cpu-time-limit stops in order once so much was computed, with a count of what was
not looked at; the next verify begins at the beginning. It does not go with --repair.

Examples:
  chunker verify --store /srv/nars
  chunker verify --store /srv/nars --content --json | jq 'select(.kind == "problem")'
  chunker verify --store /srv/nars --content --repair
)";

constexpr std::string_view kRebuildExamples = R"(
The index is derived from the packs, so it can be made anew when it is lost or
damaged. The old one is replaced only when the new one is complete. If the old one
can be read, it tells what was known and is lost: the names are kept. Each pack that
is damaged or missing and each NAR that cannot be restored is a message; the exit code
is 1 if there is any.

Example:
  chunker rebuild-index --store /srv/nars
)";

struct VerifyFlags {
  std::string store;
  bool content = false;
  bool repair = false;
  unsigned threads = 0;
  CpuQuota quota;
};

Json object_of(const VerifyReport& report, const VerifyFlags& flags) {
  const bool is_ok = report.problems == 0 && report.is_complete();
  Json object{{"kind", "summary"},           {"ok", is_ok},
              {"content", flags.content},    {"nars", report.nars},
              {"packs", report.packs},       {"frames", report.frames},
              {"chunks", report.chunks},     {"bytes_read", report.bytes_read},
              {"problems", report.problems}, {"nars_damaged", report.nars_damaged}};
  if (flags.repair) {
    object.update({{"packs_set_aside", report.packs_set_aside},
                   {"chunks_saved", report.chunks_saved},
                   {"chunks_lost", report.chunks_lost}});
  }
  if (flags.quota.cpu_time_limit_ms != 0) {
    object.update(
        {{"cpu_time_limit_seconds", static_cast<double>(flags.quota.cpu_time_limit_ms) / 1000},
         {"cpu_time_limit_exceeded", !report.is_complete()},
         {"packs_not_reached", report.packs_not_reached},
         {"nars_not_reached", report.nars_not_reached}});
  }
  return object;
}

std::string summary_of(const VerifyReport& report) {
  std::string extent = fmt::format("{}, {} in {}, {} read", counted(report.nars, "NAR"),
                                   counted(report.chunks, "chunk"), counted(report.packs, "pack"),
                                   human_bytes(report.bytes_read));
  if (!report.is_complete()) {
    extent += fmt::format("; not reached: {}, {}", counted(report.packs_not_reached, "pack"),
                          counted(report.nars_not_reached, "NAR"));
  }
  if (report.problems == 0) return "no problem found: " + extent;
  return fmt::format("{} found, {} cannot be restored: {}", counted(report.problems, "problem"),
                     counted(report.nars_damaged, "NAR"), extent);
}

std::string repair_of(const VerifyReport& report) {
  return fmt::format("set aside: {}; saved: {}; lost: {}; to ingest again: {}",
                     counted(report.packs_set_aside, "pack"), counted(report.chunks_saved, "chunk"),
                     counted(report.chunks_lost, "chunk"), counted(report.nars_damaged, "NAR"));
}

void show_note(const Error& note, Console& console) {
  if (console.json()) console.print_json(json_of(note, "note"));
  console.note(fmt::format("{}: {}", printable(note.context), note.what));
}

Result<VerifyReport> check(const VerifyFlags& flags, Session& session) {
  Console& console = session.console;
  VerifyOptions options{.content = flags.content, .repair = flags.repair};
  options.threads = flags.threads;
  options.quota = flags.quota;
  options.stop = session.stop.get_token();
  options.on_note = [&console](const Error& note) { show_note(note, console); };
  options.on_wait = [&console](ReadersWait wait) { console.note(describe(wait)); };
  const StoreAccess access = flags.repair ? StoreAccess::write : StoreAccess::read;
  CHUNKER_TRY(
      const Store store,
      Store::open(flags.store, {.access = access, .memory_budget = session.memory.budget()}));
  return chunker::verify(
      store, options, [&](const Error& problem) { console.report(problem, "problem"); },
      [&](const Progress& progress) { console.show(progress); });
}

Exit verify(const VerifyFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  Console& console = session.console;
  const auto done = check(flags, session);
  if (!done) return console.report(done.error());
  if (console.json()) {
    Json object = object_of(*done, flags);
    session.memory.add_usage(object);
    console.print_json(object);
  } else {
    console.print(summary_of(*done));
    if (flags.repair) console.print(repair_of(*done));
  }
  const Exit exit = done->problems == 0 ? Exit::ok : Exit::failure;
  if (done->is_complete()) return exit;
  return worse(console.report({ErrorCode::cpu_time_limit_exceeded, "the CPU time is used up"}),
               exit);
}

Json object_of(const RebuildReport& report) {
  return {{"kind", "rebuild_index"},
          {"packs", report.packs},
          {"packs_damaged", report.packs_damaged},
          {"chunks", report.chunks},
          {"nars", report.nars},
          {"nars_damaged", report.nars_damaged},
          {"compared", report.compared},
          {"packs_missing", report.packs_missing},
          {"chunks_lost", report.chunks_lost},
          {"names_kept", report.names_kept}};
}

Exit rebuild(const std::string& directory, Console& console) {
  const auto on_problem = [&](const Error& problem) { console.report(problem, "problem"); };
  const auto done = rebuild_index(directory, on_problem);
  if (!done) return console.report(done.error());
  if (console.json()) {
    console.print_json(object_of(*done));
  } else {
    console.print(fmt::format("index made from {}: {}, {}; damaged: {}; {} cannot be restored",
                              counted(done->packs, "pack"), counted(done->nars, "NAR"),
                              counted(done->chunks, "chunk"), counted(done->packs_damaged, "pack"),
                              counted(done->nars_damaged, "NAR")));
    if (!done->compared) console.note("there was no old index to compare it with");
  }
  return done->is_damaged() ? Exit::failure : Exit::ok;
}

}  // namespace

void add_verify(CLI::App& program, Session& session) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App& verify_command = *program.add_subcommand("verify", "Look for damage in a store");
  add_store(verify_command, flags->store);
  verify_command.add_flag("--content", flags->content, "Decode and hash every stored byte");
  verify_command
      .add_flag("--repair", flags->repair, "Set damaged packs aside, saving what is intact")
      ->needs("--content");
  add_json(verify_command, session);
  add_quiet(verify_command, session);
  add_threads(verify_command, flags->threads);
  add_nice(verify_command, session);
  add_memory_limit(verify_command, session);
  add_quota(verify_command, flags->quota);
  add_footer(verify_command, kVerifyExamples);
  on_chosen(verify_command, session, [flags, &session] { return verify(*flags, session); });

  auto store = std::make_shared<std::string>();
  CLI::App& rebuild_command =
      *program.add_subcommand("rebuild-index", "Make a store's index anew from its packs");
  add_store(rebuild_command, *store);
  add_json(rebuild_command, session);
  add_footer(rebuild_command, kRebuildExamples);
  on_chosen(rebuild_command, session,
            [store, &session] { return rebuild(*store, session.console); });
}

}  // namespace chunker::cli
