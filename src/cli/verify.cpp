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

Examples:
  chunker verify --store /srv/nars
  chunker verify --store /srv/nars --content --json | jq 'select(.kind == "problem")'
)";

constexpr std::string_view kRebuildExamples = R"(
The index is derived from the packs, so it can be made anew when it is lost or
damaged. The old one is replaced only when the new one is complete.

Example:
  chunker rebuild-index --store /srv/nars
)";

struct VerifyFlags {
  std::string store;
  bool content = false;
  unsigned threads = 0;
};

Json object_of(const VerifyReport& report, bool content) {
  return {{"kind", "summary"},           {"ok", report.problems == 0},
          {"content", content},          {"nars", report.nars},
          {"packs", report.packs},       {"frames", report.frames},
          {"chunks", report.chunks},     {"bytes_read", report.bytes_read},
          {"problems", report.problems}, {"nars_damaged", report.nars_damaged}};
}

std::string summary_of(const VerifyReport& report) {
  const std::string extent = fmt::format(
      "{}, {} in {}, {} read", counted(report.nars, "NAR"), counted(report.chunks, "chunk"),
      counted(report.packs, "pack"), human_bytes(report.bytes_read));
  if (report.problems == 0) return "no problem found: " + extent;
  return fmt::format("{} found, {} cannot be restored: {}", counted(report.problems, "problem"),
                     counted(report.nars_damaged, "NAR"), extent);
}

Exit verify(const VerifyFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  Console& console = session.console;
  const VerifyOptions options{
      .content = flags.content, .threads = flags.threads, .stop = session.stop.get_token()};
  const auto done = [&]() -> Result<VerifyReport> {
    CHUNKER_TRY(const Store store, Store::open(flags.store));
    return chunker::verify(
        store, options, [&](const Error& problem) { console.report(problem, "problem"); },
        [&](const Progress& progress) { console.show(progress); });
  }();
  if (!done) return console.report(done.error());
  if (console.json()) {
    console.print_json(object_of(*done, flags.content));
  } else {
    console.print(summary_of(*done));
  }
  return done->problems == 0 ? Exit::ok : Exit::failure;
}

Exit rebuild(const std::string& directory, Console& console) {
  const auto on_problem = [&](const Error& problem) { console.report(problem, "problem"); };
  const auto done = rebuild_index(directory, on_problem);
  if (!done) return console.report(done.error());
  if (console.json()) {
    console.print_json({{"kind", "rebuild_index"},
                        {"packs", done->packs},
                        {"packs_damaged", done->packs_damaged},
                        {"chunks", done->chunks},
                        {"nars", done->nars}});
  } else {
    console.print(fmt::format("index made from {}: {}, {}; damaged: {}",
                              counted(done->packs, "pack"), counted(done->nars, "NAR"),
                              counted(done->chunks, "chunk"),
                              counted(done->packs_damaged, "pack")));
  }
  return done->packs_damaged == 0 ? Exit::ok : Exit::failure;
}

}  // namespace

void add_verify(CLI::App& program, Session& session) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App& verify_command = *program.add_subcommand("verify", "Look for damage in a store");
  add_store(verify_command, flags->store);
  verify_command.add_flag("--content", flags->content, "Decode and hash every stored byte");
  add_json(verify_command, session);
  add_quiet(verify_command, session);
  add_threads(verify_command, flags->threads);
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
