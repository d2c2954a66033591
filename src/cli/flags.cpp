#include "cli/flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/try.hpp"
#include "cli/text.hpp"
#include "refs/references.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker::cli {
namespace {

constexpr char kHidden = '\x02';

std::string unhidden(const std::string& word) {
  return word.starts_with(kHidden) ? word.substr(1) : word;
}

constexpr std::array<std::pair<std::string_view, ChunkingAlgorithm>, 3> kAlgorithms{{
    {"fast_cdc", ChunkingAlgorithm::fast_cdc},
    {"rabin_karp", ChunkingAlgorithm::rabin_karp},
    {"fixed", ChunkingAlgorithm::fixed},
}};

constexpr std::array<std::pair<std::string_view, NarMode>, 3> kNarModes{{
    {"off", NarMode::off},
    {"biased", NarMode::biased},
    {"aligned", NarMode::aligned},
}};

// Values of an enumeration and their names, both ways. Only ever asked for what the table has: the parser
// checks names by IsMember, and recipes hold no other values.
template <class Table>
auto value_of(const Table& table, std::string_view name) {
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return table.front().second;
}
template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
  for (const auto& [name, known] : table) {
    if (known == value) return name;
  }
  return "unknown";
}

template <class Table>
CLI::IsMember one_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.first);
  return CLI::IsMember(std::move(names));
}

// "MIN:AVG:MAX".
Result<void> apply_sizes(std::string_view text, Recipe& recipe) {
  const std::array<std::uint64_t*, 3> sizes{&recipe.min_bytes, &recipe.avg_bytes,
                                            &recipe.max_bytes};
  std::string_view rest = text;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::size_t end = i + 1 < sizes.size() ? rest.find(':') : rest.size();
    const auto bytes =
        end == std::string_view::npos ? std::nullopt : parse_bytes(rest.substr(0, end));
    if (!bytes) {
      return std::unexpected(
          usage_error("--chunk-sizes is MIN:AVG:MAX, for example 128K:512K:2M", std::string(text)));
    }
    *sizes[i] = *bytes;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

// Not by CLI11, which takes -1 for the largest number there is.
Result<std::uint64_t> parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, seed);
  if (error == std::errc{} && end == text_end) return seed;
  return std::unexpected(usage_error("--seed is a whole number from 0 to 2^64 - 1", text));
}

}  // namespace

CLI::Option* add_words(CLI::App& command, const std::string& name, std::vector<std::string>& words,
                       const std::string& description) {
  // Not by a vector<string> option: its conversion reads "{}" as an empty list.
  const auto take = [&words](const CLI::results_t& given) {
    for (const std::string& word : given) words.push_back(unhidden(word));
    return true;
  };
  return command.add_option(name, take, description)
      ->expected(1, std::numeric_limits<int>::max() / 2)
      ->allow_extra_args();
}

CLI::Option* add_word(CLI::App& command, const std::string& name, std::string& word,
                      const std::string& description) {
  const auto take = [&word](const CLI::results_t& given) {
    word = unhidden(given.front());
    return true;
  };
  return command.add_option(name, take, description);
}

CLI::Option* add_text(CLI::App& command, const std::string& name, std::string& text,
                      const std::string& placeholder, const std::string& description) {
  return add_word(command, name, text, description)->option_text(placeholder);
}

std::string hide_brackets(std::string argument) {
  if (argument.starts_with('[') || argument.starts_with(kHidden)) argument.insert(0, 1, kHidden);
  return argument;
}

void add_footer(CLI::App& command, std::string_view text) {
  command.footer(std::string(text.substr(1)));
}

CLI::Option* add_store(CLI::App& command, std::string& directory) {
  return add_text(command, "-s,--store", directory, "DIR",
                  "The store's directory; or CHUNKER_STORE")
      ->envname("CHUNKER_STORE")
      ->required();
}

void add_json(CLI::App& command, Session& session) {
  command.add_flag_callback(
      "--json", [&session] { session.console.set_json(true); },
      "Results as JSON, one object a line (doc/json.md)");
}

void add_quiet(CLI::App& command, Session& session) {
  command.add_flag_callback(
      "-q,--quiet", [&session] { session.console.set_quiet(true); },
      "No progress and no line for each item");
}

void add_threads(CLI::App& command, unsigned& threads) {
  command
      .add_option("--threads", threads,
                  "Threads to work with; or CHUNKER_THREADS; 0 is as many as processors and a "
                  "container's limit allow")
      ->envname("CHUNKER_THREADS")
      ->option_text("N")
      ->check(CLI::Range(0, 1024));
}

void add_nice(CLI::App& command, Session& session) {
  command
      .add_option("--nice", session.nice_level,
                  "Give way to other programs: 1 a little, 19 the most (0)")
      ->option_text("N")
      ->check(CLI::Range(0, CpuQuota::kNiceLevelMax));
}

void add_memory_limit(CLI::App& command, Session& session) {
  add_text(command, "--memory-limit", session.memory_limit, "SIZE",
           "Take no more memory than this, for example 256MiB");
}

void add_quota(CLI::App& command, CpuQuota& quota) {
  constexpr double kSecondsMin = 0.001;
  constexpr double kSecondsMax = 1e9;
  command
      .add_option_function<double>(
          "--cpu-time-limit",
          [&quota](double seconds) {
            // What is no number at all is in no range, so that this is not said the other way round.
            if (!(seconds >= kSecondsMin && seconds <= kSecondsMax)) {
              throw CLI::ValidationError("--cpu-time-limit", "seconds are 0.001 to 1e9");
            }
            quota.cpu_time_limit_ms = static_cast<std::uint64_t>(std::ceil(seconds * 1000));
          },
          "Stop after so much computing, all threads together; exit code 75")
      ->option_text("SECONDS");
  command.add_flag("--ease-off", quota.ease_off,
                   "Fewer threads at work while other programs want the processors");
}

std::uint64_t cpu_time_left_ms(const CpuQuota& quota) noexcept {
  const auto used =
      std::chrono::duration_cast<std::chrono::milliseconds>(resource::process_cpu_time());
  return quota.cpu_time_limit_ms -
         std::min(quota.cpu_time_limit_ms, static_cast<std::uint64_t>(used.count()));
}

CLI::Option* add_hash(CLI::App& command, std::string& hash, const std::string& description) {
  return command.add_option("--hash", hash, description)
      ->option_text("blake3|sha256")
      ->check(CLI::IsMember({"blake3", "sha256"}));
}

void RecipeFlags::add_to(CLI::App& command) {
  const std::string group = "How to cut";
  command.add_option("--preset", preset, "A known recipe: 64K:256K:1M, or 128K:512K:2M (store)")
      ->option_text("store|nar")
      ->check(CLI::IsMember({"store", "nar"}))
      ->group(group);
  command.add_option("--chunk-sizes", sizes, "Sizes of chunks, for example 64K:256K:1M")
      ->option_text("MIN:AVG:MAX")
      ->group(group);
  command.add_option("--nar-mode", nar_mode, "Whether cuts follow the files in a NAR (aligned)")
      ->option_text("off|biased|aligned")
      ->check(one_of(kNarModes))
      ->group(group);
  command
      .add_flag("--header-chunk", header_chunk,
                "What stands before the first file is its own chunk")
      ->group(group);
  command
      .add_flag("--prefer-sections", prefer_sections,
                "Cut where segments and sections of ELF and Mach-O files begin and end, if near")
      ->group(group);
  command
      .add_flag("--dedup-hint", dedup_hint,
                "In machine code, cut where functions or at least instructions begin, if near")
      ->group(group);
  command
      .add_flag("--prefer-definitions", prefer_definitions,
                "In source code, cut where functions and classes begin, if near")
      ->group(group);
  command.add_flag("--prefer-lines", prefer_lines, "In text, cut at line breaks, if near")
      ->group(group);
  command.add_option("--algorithm", algorithm, "What finds the cuts (fast_cdc)")
      ->option_text("fast_cdc|rabin_karp|fixed")
      ->check(one_of(kAlgorithms))
      ->group(group);
  command.add_option("--normalization", normalization, "FastCDC's normalization level, 0 to 3 (1)")
      ->option_text("LEVEL")
      ->check(CLI::Range(0, 255))
      ->group(group);
  add_text(command, "--seed", seed, "NUMBER",
           "Changes FastCDC's table, so that cuts tell outsiders nothing (0)")
      ->group(group);
}

bool RecipeFlags::given() const {
  return !preset.empty() || !sizes.empty() || !nar_mode.empty() || !algorithm.empty() ||
         normalization || !seed.empty() || header_chunk || prefer_sections || dedup_hint ||
         prefer_definitions || prefer_lines;
}

Result<ChunkingOptions> RecipeFlags::chunking() const {
  ChunkingOptions options = preset == "nar" ? ChunkingOptions::nar() : ChunkingOptions::store();
  Recipe& recipe = options.recipe;
  if (!sizes.empty()) CHUNKER_TRY_VOID(apply_sizes(sizes, recipe));
  if (!nar_mode.empty()) recipe.nar_mode = value_of(kNarModes, nar_mode);
  if (!algorithm.empty()) recipe.algorithm = value_of(kAlgorithms, algorithm);
  if (normalization) recipe.normalization = static_cast<std::uint8_t>(*normalization);
  if (!seed.empty()) {
    CHUNKER_TRY(recipe.seed, parse_seed(seed));
  }
  recipe.header_chunk = header_chunk;
  recipe.prefer_sections = prefer_sections;
  recipe.dedup_hint = dedup_hint;
  recipe.prefer_definitions = prefer_definitions;
  recipe.prefer_lines = prefer_lines;
  CHUNKER_TRY([[maybe_unused]] const auto checked, options.resolve());
  return options;
}

void ReferenceFlags::add_to(CLI::App& command) {
  auto* const prefix = add_text(command, "--store-prefix", store_prefix, "PREFIX",
                                "What references stand behind (/nix/store/)");
  command.add_flag("--no-references", none, "Leave references in the data")->excludes(prefix);
}

Result<std::string> ReferenceFlags::prefix() const {
  if (none) return std::string();
  if (auto made = refs::ReferenceNormalizer::make(store_prefix); !made) {
    return std::unexpected(std::move(made).error().within(store_prefix));
  }
  return store_prefix;
}

std::string_view describe(ReadersWait wait) noexcept {
  switch (wait) {
    case ReadersWait::begun:
      return "waiting for other processes that read the store, for half a minute at most";
    case ReadersWait::over:
      return "they are done; going on";
  }
  return "";
}

Result<StoredNar> find_nar(const Store& store, const std::string& word) {
  auto found = store.find(word);
  const auto sri = parse_sri(word);
  if (found || !sri || found.error().code != ErrorCode::store_not_found) return found;
  auto by_digits = store.find(sri->hex());
  if (by_digits || by_digits.error().code != ErrorCode::store_not_found) return by_digits;
  return found;  // named as the user did
}

std::string describe(const Recipe& recipe) {
  return fmt::format(
      "{} {}:{}:{}, {}{}{}{}{}{}", name_of(kAlgorithms, recipe.algorithm),
      short_bytes(recipe.min_bytes), short_bytes(recipe.avg_bytes), short_bytes(recipe.max_bytes),
      name_of(kNarModes, recipe.nar_mode), recipe.header_chunk ? ", header chunk" : "",
      recipe.prefer_sections ? ", sections" : "", recipe.dedup_hint ? ", dedup hint" : "",
      recipe.prefer_definitions ? ", definitions" : "", recipe.prefer_lines ? ", lines" : "");
}

Json json_of(const Recipe& recipe) {
  return {{"algorithm", name_of(kAlgorithms, recipe.algorithm)},
          {"version", recipe.version},
          {"min_bytes", recipe.min_bytes},
          {"avg_bytes", recipe.avg_bytes},
          {"max_bytes", recipe.max_bytes},
          {"normalization", recipe.normalization},
          {"seed", recipe.seed},
          {"nar_mode", name_of(kNarModes, recipe.nar_mode)},
          {"header_chunk", recipe.header_chunk},
          {"prefer_sections", recipe.prefer_sections},
          {"dedup_hint", recipe.dedup_hint},
          {"prefer_definitions", recipe.prefer_definitions},
          {"prefer_lines", recipe.prefer_lines}};
}

}  // namespace chunker::cli
