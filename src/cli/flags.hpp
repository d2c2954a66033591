#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chunker/chunking.hpp"
#include "chunker/codec.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/hash.hpp"
#include "chunker/maintain.hpp"
#include "chunker/store.hpp"
#include "cli/session.hpp"

// Options that several commands share, so that they are spelled and explained alike.
namespace chunker::cli {

/// A positional argument of which there may be many, byte for byte as the user gave them.
CLI::Option* add_words(CLI::App& command, const std::string& name, std::vector<std::string>& words,
                       const std::string& description);
/// A positional argument of which there is one.
CLI::Option* add_word(CLI::App& command, const std::string& name, std::string& word,
                      const std::string& description);
/// An option with a value that may be any text.
CLI::Option* add_text(CLI::App& command, const std::string& name, std::string& text,
                      const std::string& placeholder, const std::string& description);
/// CLI11 would take an argument like "[a,b]" apart: hides the bracket until the functions above get it.
[[nodiscard]] std::string hide_brackets(std::string argument);

/// Once the user has chosen `command`, and none below it, the session runs `action`: its Exit, or the error of
/// its Result<void>, is the program's. Whoever opens a store needs the threads of its index.
template <class Action>
void on_chosen(CLI::App& command, Session& session, Action action, bool opens_store = false) {
  const bool has_store = opens_store || command.get_option_no_throw("--store") != nullptr;
  command.callback([&command, &session, action, has_store] {
    if (!command.get_subcommands().empty()) return;  // They have set theirs already.
    session.needs_threads = has_store;
    session.command = [&session, action]() -> Exit {
      [[maybe_unused]] Console& console = session.console;
      if constexpr (std::is_same_v<std::invoke_result_t<Action>, Exit>) {
        return action();
      } else {
        const Result<void> done = action();
        return done ? Exit::ok : console.report(done.error());
      }
    };
  });
}

/// What --help shows below the options; the first character, a newline, is left out.
void add_footer(CLI::App& command, std::string_view text);

/// --store DIR, or CHUNKER_STORE.
CLI::Option* add_store(CLI::App& command, std::string& directory);
/// --json, for the whole session.
void add_json(CLI::App& command, Session& session);
/// --quiet, for the whole session.
void add_quiet(CLI::App& command, Session& session);
/// --threads N, or CHUNKER_THREADS.
void add_threads(CLI::App& command, unsigned& threads);
/// --nice N, for the whole program: obeyed before it starts anything.
void add_nice(CLI::App& command, Session& session);
/// --memory-limit SIZE, for the whole program: session.memory has it then.
void add_memory_limit(CLI::App& command, Session& session);
/// --cpu-time-limit SECONDS and --ease-off, for what works on many files.
void add_quota(CLI::App& command, CpuQuota& quota);
/// What this process has left of the quota's time; 0 without a limit, too.
[[nodiscard]] std::uint64_t cpu_time_left_ms(const CpuQuota& quota) noexcept;
/// --hash NAME.
CLI::Option* add_hash(CLI::App& command, std::string& hash, const std::string& description);

/// The options that make a recipe.
struct RecipeFlags {
  std::string preset;
  std::string sizes;
  std::string nar_mode;
  std::string algorithm;
  std::optional<unsigned> normalization;
  std::string seed;
  bool header_chunk = false;
  bool prefer_sections = false;
  bool dedup_hint = false;
  bool prefer_definitions = false;
  bool prefer_lines = false;

  void add_to(CLI::App& command);
  /// Whether any was given.
  [[nodiscard]] bool given() const;
  /// Errors: invalid_argument.
  [[nodiscard]] Result<ChunkingOptions> chunking() const;
};

/// The options that say which references are taken out.
struct ReferenceFlags {
  std::string store_prefix = IngestOptions{}.store_prefix;
  bool none = false;

  void add_to(CLI::App& command);
  /// What they stand behind, checked; empty where they stay in the data. Errors: invalid_argument.
  [[nodiscard]] Result<std::string> prefix() const;
};

/// "fast_cdc 128K:512K:2M, aligned", for people.
[[nodiscard]] std::string describe(const Recipe& recipe);
[[nodiscard]] Json json_of(const Recipe& recipe);

/// What a command that deletes packs says about readers of other processes.
[[nodiscard]] std::string_view describe(ReadersWait wait) noexcept;

/// Store::find, which knows names and hashes; here also hashes as SRI.
[[nodiscard]] Result<StoredNar> find_nar(const Store& store, const std::string& word);

/// An error of usage found behind the parser.
[[nodiscard]] inline Error usage_error(std::string_view what, std::string context = {}) {
  return Error{ErrorCode::invalid_argument, what, Error::kNoOffset, std::move(context)};
}

}  // namespace chunker::cli
