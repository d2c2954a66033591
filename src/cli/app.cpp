#include "cli/app.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <new>

#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"

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
75 try again later (locked store, full disk), 128 + n stopped by signal n.
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
  add_remove(*program, session);
  add_verify(*program, session);
  add_cut(*program, session);
  add_diff(*program, session);
  add_nar(*program, session);
  add_key(*program, session);
  add_version(*program, session);
  return program;
}

// What is wrong with the command line, and which --help explains it.
std::string message_of(const CLI::ParseError& error, const CLI::App& program) {
  const CLI::App* command = &program;
  std::string names = program.get_name();
  for (auto chosen = program.get_subcommands(); !chosen.empty();
       chosen = command->get_subcommands()) {
    command = chosen.front();
    names += " " + command->get_name();
  }
  std::string what = error.what();
  const auto unknown = command->remaining();
  // CLI11 only says that it misses a command, not which word it did not know.
  if (command->get_require_subcommand_min() > 0 && !unknown.empty()) {
    what = fmt::format("{} has no command or option \"{}\"", names, printable(unknown.front()));
  }
  return fmt::format("{}\n  See `{} --help`.", what, names);
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
  const bool nothing_said = words.empty();
  try {
    program.parse(words);
    return std::nullopt;
  } catch (const CLI::Success& wish) {
    // --help of the innermost command that has it, or --version.
    const bool version = dynamic_cast<const CLI::CallForVersion*>(&wish) != nullptr;
    session.console.print(version ? wish.what() : with_single_empty_lines(program.help()));
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    session.console.note(nothing_said ? "say what to do; `chunker --help` shows a first tour"
                                      : message_of(error, program));
    return Exit::usage;
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

Exit run_session(Session& session, int count, const char* const* arguments) {
  const auto program = make_program(session);
  const auto exit = parse(*program, session, count, arguments);
  return exit ? *exit : by_signal(session.command());
}

}  // namespace

int run(int argument_count, const char* const* arguments) {
  occupy_standard_descriptors();
  // A reader that leaves is an error of write(), so that what is open is closed in order.
  std::signal(SIGPIPE, SIG_IGN);
  Session session;
  Exit exit = Exit::failure;
  try {
    exit = run_session(session, argument_count, arguments);
  } catch (const std::bad_alloc&) {
    exit = session.console.report({ErrorCode::memory_limit_exceeded, "out of memory"});
  } catch (const std::exception& fault) {
    exit = session.console.report(
        {ErrorCode::internal, "unexpected exception", Error::kNoOffset, fault.what()});
  }
  return static_cast<int>(session.console.finish(exit));
}

}  // namespace chunker::cli
