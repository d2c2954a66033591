#include "cli/app.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <span>

#include "base/catching.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "cli/warnings.hpp"
#include "pipeline/workers.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kTour = R"(
A first tour:
  export CHUNKER_STORE=/tmp/nars
  chunker ingest --tree /usr/share/doc   # takes a directory in, as one NAR
  chunker ingest *.nar                   # takes NARs in; every distinct byte is kept once
  chunker stats                          # shows what that saves
  chunker restore doc -o doc.nar         # gives it back, bit for bit

Each command explains itself: `chunker ingest --help`.

Exit codes: 0 done, 1 failed or damage found, 2 the command line cannot be meant,
75 try again later (locked store, full disk, time used up), 128 + n stopped by signal n.
)";

// What we open must not become somebody's standard output: takes the place of closed ones, in the wrong
// direction, so that using them still fails.
void occupy_standard_descriptors() {
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    const int direction = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int taken = ::open("/dev/null", direction);
  }
}

std::unique_ptr<CLI::App> make_program(Session& session) {
  auto program =
      std::make_unique<CLI::App>("Keeps Nix archives (NARs), every distinct byte once.", "chunker");
  program->set_version_flag("--version", "chunker " CHUNKER_VERSION, "Print the version");
  program->get_formatter()->column_width(34);
  program->require_subcommand(1);
  add_footer(*program, kTour);
  add_ingest(*program, session);
  add_restore(*program, session);
  add_list(*program, session);
  add_stats(*program, session);
  add_remove(*program, session);
  add_verify(*program, session);
  add_cut(*program, session);
  add_diff(*program, session);
  add_nar(*program, session);
  add_key(*program, session);
  add_bench(*program, session);
  add_version(*program, session);
  return program;
}

struct Mistake {
  std::string what;
  std::string cure;  // which --help explains it
};

// CLI11 blames the option for what its variable holds.
std::string blame_variable(std::string what, std::span<const std::string> words) {
  constexpr std::string_view kOption = "--threads";
  const std::size_t at = what.find(kOption);
  const bool given = std::ranges::any_of(
      words, [&](const std::string& word) { return word.starts_with(kOption); });
  if (at != std::string::npos && !given) what.replace(at, kOption.size(), "CHUNKER_THREADS");
  return what;
}

Mistake mistake_of(const CLI::ParseError& error, const CLI::App& program,
                   std::span<const std::string> words) {
  const CLI::App* command = &program;
  std::string names = program.get_name();
  for (auto chosen = program.get_subcommands(); !chosen.empty();
       chosen = command->get_subcommands()) {
    command = chosen.front();
    names += " " + command->get_name();
  }
  std::string what = blame_variable(error.what(), words);
  const auto unknown = command->remaining();
  // CLI11 only says that it misses a command, not which word it did not know.
  if (command->get_require_subcommand_min() > 0 && !unknown.empty()) {
    what = fmt::format("{} has no command or option \"{}\"", names, printable(unknown.front()));
  }
  return {printable(what), fmt::format("See `{} --help`.", names)};
}

Exit report_mistake(const Mistake& mistake, Console& console) {
  if (console.json()) {
    Json object = json_of(usage_error(mistake.what), "error");
    object["cure"] = mistake.cure;
    console.print_json(object);
  }
  console.note(mistake.what + "\n  " + mistake.cure);
  return Exit::usage;
}

// CLI11 leaves up to three empty lines between groups.
std::string with_single_empty_lines(std::string text) {
  for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// Fills in the session, or gives the exit code that parsing alone has led to.
std::optional<Exit> parse(CLI::App& program, Session& session, int count,
                          const char* const* arguments) {
  std::vector<std::string> words;
  for (int i = count - 1; i > 0; --i)
    words.push_back(hide_brackets(arguments[i]));  // as CLI11 wants them
  // Known before parsing fails, and ahead of `--`.
  const auto options_end = std::ranges::find(words.rbegin(), words.rend(), "--");
  session.console.set_json(std::find(words.rbegin(), options_end, "--json") != options_end);
  const std::vector<std::string> given = words;
  try {
    program.parse(words);
    return std::nullopt;
  } catch (const CLI::Success& wish) {
    // --help of the innermost command that has it, or --version.
    const bool version = dynamic_cast<const CLI::CallForVersion*>(&wish) != nullptr;
    session.console.print(version ? wish.what() : with_single_empty_lines(program.help()));
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    if (given.empty()) {
      return report_mistake({"say what to do", "`chunker --help` shows a first tour."},
                            session.console);
    }
    return report_mistake(mistake_of(error, program, given), session.console);
  }
}

// 128 + the signal that stopped us, as shells expect it.
Exit by_signal(Exit exit) {
  if (exit != Exit::interrupted) return exit;
  switch (SignalWatch::received()) {
    case SIGTERM:
      return Exit::terminated;
    case SIGHUP:
      return Exit::hung_up;
    default:
      return exit;
  }
}

// Where a library gives up in a place that nobody can catch from: RocksDB, say, when a thread of its own
// cannot be started. A fault leaves its core dump; what may pass later is said like any other error.
[[noreturn]] void give_up() {
  // While an exception unwinds into a destructor that ends us there is none to ask: it was such a thread.
  Error error{ErrorCode::memory_limit_exceeded, "no thread can be started"};
  if (std::current_exception() != nullptr) {
    error = base::error_of_exception();
  } else if (std::uncaught_exceptions() == 0) {
    error = {ErrorCode::internal, "ended by a library"};
  }
  const Exit exit = Console(std::stop_source()).report(error);
  if (error.code == ErrorCode::internal) std::abort();
  ::_exit(static_cast<int>(exit));
}

// What a store's index starts of its own, and one that waits for signals. Refused here, where it can be
// said, and not by give_up() halfway.
constexpr unsigned kThreadsMin = 18;

Exit run_session(Session& session, int count, const char* const* arguments) {
  const auto program = make_program(session);
  const auto exit = parse(*program, session, count, arguments);
  if (exit) return *exit;
  // Here, because threads inherit it from whoever starts them.
  if (session.nice_level != 0) resource::lower_thread_priority(session.nice_level);
  if (!session.memory_limit.empty()) {
    if (const auto limited = session.memory.limit_to(session.memory_limit); !limited) {
      return session.console.report(limited.error());
    }
  }
  if (session.needs_threads && pipeline::startable_threads(kThreadsMin) < kThreadsMin) {
    return session.console.report(
        {ErrorCode::memory_limit_exceeded,
         "too few threads can be started: a limit of processes or memory is reached"});
  }
  return by_signal(session.command());
}

}  // namespace

int run(int argument_count, const char* const* arguments) {
  occupy_standard_descriptors();
  // A reader that leaves is an error of write(), so that what is open is closed in order.
  std::signal(SIGPIPE, SIG_IGN);
  // And so is a limit of file sizes.
  std::signal(SIGXFSZ, SIG_IGN);
  std::set_terminate(give_up);
  Session session;
  const Warnings warnings(session.console);
  Exit exit = Exit::failure;
  try {
    exit = run_session(session, argument_count, arguments);
  } catch (...) {
    exit = session.console.report(base::error_of_exception());
  }
  return static_cast<int>(session.console.finish(exit));
}

}  // namespace chunker::cli
