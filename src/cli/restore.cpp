#include "chunker/restore.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/try.hpp"
#include "chunker/nar_tree.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExamples = R"(
NAME is what `chunker list` shows, with or without .nar, or the first 8 or more
digits of the NAR's SHA-256, or its NarHash. Every chunk is checked on the way, and
the whole NAR at the end: a file appears only when it is complete, and an exit code
other than 0 means that what was written to a pipe must not be used.

Without -o or --output-dir a NAR goes to a file of its name in this directory, which
must not be there yet.

--cpu-time-limit stops in order once so much was computed: at least one NAR is given
back, and those that were not reached have no file. Ask for them again to go on.

--range gives only a part: where it begins in the NAR, and how many bytes. Each chunk
it touches is checked, and no other is read; the hash of the whole NAR then is not.

Examples:
  chunker restore --store /srv/nars hello.nar
  chunker restore --store /srv/nars hello -o /tmp/hello.nar
  chunker restore --store /srv/nars hello -o - | nix-store --restore ./hello
  chunker restore --store /srv/nars hello --tree -o ./hello
  chunker restore --store /srv/nars hello --range 1M:4K -o - | hexdump -C
  chunker restore --store /srv/nars --all --output-dir /tmp/all
)";

struct RestoreFlags {
  std::string store;
  std::vector<std::string> names;
  bool all = false;
  std::string output;
  std::string output_directory;
  bool tree = false;
  std::string range;
  unsigned threads = 0;
  CpuQuota quota;

  [[nodiscard]] RestoreOptions options(const Session& session) const {
    return {.threads = threads, .quota = quota, .stop = session.stop.get_token()};
  }
};

Json object_of(const std::string& name, const Digest& nar_sha256, const std::string& path) {
  return {{"kind", "restored"},
          {"name", json_text(name)},
          {"nar_sha256", nar_sha256.hex()},
          {"nar_hash", nix_hash(nar_sha256)},
          {"path", json_text(path)}};
}

Result<void> check(const RestoreFlags& flags) {
  if (flags.all != flags.names.empty()) {
    return std::unexpected(usage_error("say either NAMEs or --all"));
  }
  if (flags.all && flags.output_directory.empty()) {
    return std::unexpected(usage_error("--all needs --output-dir DIR"));
  }
  if (!flags.output.empty() && (flags.names.size() != 1 || !flags.output_directory.empty())) {
    return std::unexpected(usage_error("-o goes with exactly one NAME, and not with --output-dir"));
  }
  if (flags.tree && flags.output == kStandardOutput) {
    return std::unexpected(usage_error("--tree needs a path, not standard output"));
  }
  if (flags.range.empty()) return {};
  if (flags.output.empty() || flags.tree) {
    return std::unexpected(
        usage_error("--range goes with one NAME and -o FILE, and not with --tree"));
  }
  return {};
}

// "OFFSET:BYTES"; nothing where none was asked for.
Result<std::optional<ByteRange>> range_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::size_t colon = text.find(':');
  if (colon != std::string::npos) {
    const auto offset = parse_bytes(std::string_view(text).substr(0, colon));
    const auto size = parse_bytes(std::string_view(text).substr(colon + 1));
    if (offset && size) return ByteRange{*offset, *size};
  }
  return std::unexpected(usage_error("--range is OFFSET:BYTES, for example 1M:4K", text));
}

Result<void> check_range(const ByteRange& range, const StoredNar& nar) {
  if (range.offset_bytes <= nar.nar_bytes &&
      range.size_bytes <= nar.nar_bytes - range.offset_bytes) {
    return {};
  }
  return std::unexpected(usage_error("--range goes beyond the NAR's end",
                                     fmt::format("{} has {} bytes", nar.name, nar.nar_bytes)));
}

Result<void> restore_tree(const Store& store, const Digest& nar_sha256, const fs::path& target,
                          const RestoreOptions& options) {
  CHUNKER_TRY(NarUnpacker unpacker, NarUnpacker::create(target));
  CHUNKER_TRY_VOID(
      restore(store, nar_sha256, [&](Bytes bytes) { return unpacker.feed(bytes); }, options));
  return unpacker.finish();
}

Result<void> restore_one(const Store& store, const RestoreFlags& flags,
                         const std::optional<ByteRange>& range, Session& session) {
  const RestoreOptions options = flags.options(session);
  CHUNKER_TRY(const StoredNar nar, find_nar(store, flags.names.front()));
  if (range) CHUNKER_TRY_VOID(check_range(*range, nar));
  if (range || flags.output == kStandardOutput) {
    CHUNKER_TRY_VOID(write_output(flags.output, session.console, [&](const ByteSink& sink) {
      return range ? restore_range(store, nar.nar_sha256, *range, sink, options)
                   : restore(store, nar.nar_sha256, sink, options);
    }));
  } else {
    const auto place = flags.tree ? restore_tree : restore_to_file;
    CHUNKER_TRY_VOID(place(store, nar.nar_sha256, flags.output, options));
  }
  if (session.console.json() && flags.output != kStandardOutput) {
    Json object = object_of(nar.name, nar.nar_sha256, flags.output);
    if (range) {
      object["range_offset_bytes"] = range->offset_bytes;
      object["range_bytes"] = range->size_bytes;
    }
    session.memory.add_usage(object);
    session.console.print_json(object);
  }
  return {};
}

// Many NARs into files of their names.
class ManyFiles {
 public:
  ManyFiles(const Store& store, const RestoreFlags& flags, Session& session)
      : store_(store), flags_(flags), session_(session), console_(session.console) {}

  Result<Exit> run() {
    if (!flags_.output_directory.empty()) CHUNKER_TRY_VOID(make_directory());
    CHUNKER_TRY_VOID(collect());
    const auto done = flags_.tree ? restore_trees() : restore_files();
    if (!done && !is_end(done.error().code)) return std::unexpected(done.error());
    is_late_ = !done && done.error().code == ErrorCode::cpu_time_limit_exceeded;
    if (is_late_) exit_ = worse(console_.report(done.error()), exit_);
    // A wish to stop that came when all was done changes nothing.
    if (!is_late_ && not_reached() != 0) exit_ = worse(Exit::interrupted, exit_);
    say_sum();
    return exit_;
  }

 private:
  Result<void> restore_files() {
    return restore_many(
        store_, jobs_, flags_.options(session_),
        [this](const RestoreJob& job, const Result<void>& done) { add(job, done); },
        [this](const Progress& progress) { console_.show(progress); });
  }

  // What ends the whole command; those that it did not come to are only counted.
  static bool is_end(ErrorCode code) {
    return code == ErrorCode::cancelled || code == ErrorCode::cpu_time_limit_exceeded;
  }

  // One after the other: each writes many files already. One at least, like the library.
  Result<void> restore_trees() {
    for (const RestoreJob& job : jobs_) {
      if (restored_ != 0 && flags_.quota.cpu_time_limit_ms != 0 &&
          cpu_time_left_ms(flags_.quota) == 0) {
        return base::fail(ErrorCode::cpu_time_limit_exceeded, "the CPU time is used up");
      }
      auto done = restore_tree(store_, job.nar_sha256, job.path, flags_.options(session_));
      if (!done && done.error().code == ErrorCode::cancelled) return done;
      add(job, done);
    }
    return {};
  }

  Result<void> make_directory() {
    std::error_code error;
    fs::create_directories(flags_.output_directory, error);
    if (!error) return {};
    return std::unexpected(resource::system_error(error.value(), "cannot make the directory",
                                                  flags_.output_directory));
  }

  Result<void> collect() {
    if (flags_.all) {
      return store_.list([this](const StoredNar& nar) -> Result<void> {
        add_job(nar);
        return {};
      });
    }
    std::unordered_set<std::string> seen;
    for (const std::string& name : flags_.names) {
      const auto nar = find_nar(store_, name);
      if (!nar) {
        fail(nar.error());
      } else if (seen.insert(nar->name).second) {
        add_job(*nar);
      }
    }
    return {};
  }

  void add_job(const StoredNar& nar) {
    fs::path file(nar.name);
    if (flags_.tree && file.extension() == ".nar") file.replace_extension();
    if (file.filename() != file || file == "." || file == "..") {
      return fail({ErrorCode::nar_unsafe_target,
                   "this name is no file name: restore it with -o FILE", Error::kNoOffset,
                   nar.name});
    }
    std::error_code ignored;
    if (flags_.output_directory.empty() && fs::exists(fs::symlink_status(file, ignored))) {
      return fail({ErrorCode::nar_unsafe_target,
                   "the file is there already: say -o FILE to replace it", Error::kNoOffset,
                   nar.name});
    }
    bytes_of_[nar.nar_sha256] = nar.nar_bytes;
    jobs_.push_back({nar.nar_sha256, fs::path(flags_.output_directory) / file});
  }

  void add(const RestoreJob& job, const Result<void>& done) {
    if (!done) {
      if (is_end(done.error().code)) return;
      ++reached_;
      return fail(Error(done.error()).within(job.path.native()));
    }
    ++reached_;
    ++restored_;
    bytes_ += bytes_of_[job.nar_sha256];
    if (console_.json()) {
      console_.print_json(object_of(job.path.filename(), job.nar_sha256, job.path));
    } else if (!console_.quiet()) {
      console_.print(printable(job.path.native()));
    }
    console_.flush();
  }

  void fail(const Error& error) {
    ++failed_;
    exit_ = worse(console_.report(error), exit_);
  }

  void say_sum() {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    if (console_.json()) {
      Json object = {{"kind", "summary"}, {"nars", restored_},
                     {"failed", failed_}, {"not_reached", not_reached()},
                     {"bytes", bytes_},   {"elapsed_seconds", seconds}};
      if (flags_.quota.cpu_time_limit_ms != 0) {
        object["cpu_time_limit_seconds"] =
            static_cast<double>(flags_.quota.cpu_time_limit_ms) / 1000;
        object["cpu_time_limit_exceeded"] = is_late_;
      }
      session_.memory.add_usage(object);
      console_.print_json(object);
      return;
    }
    const auto rate = static_cast<double>(bytes_) / std::max(seconds, 1e-9);
    std::string line =
        fmt::format("{}, {} in {} ({}/s)", counted(restored_, "NAR"), human_bytes(bytes_),
                    duration(seconds), human_bytes(static_cast<std::uint64_t>(rate)));
    if (failed_ != 0) line += fmt::format("; {} failed", with_commas(failed_));
    if (not_reached() != 0) line += fmt::format("; {} not reached", with_commas(not_reached()));
    console_.print(line);
  }

  [[nodiscard]] std::uint64_t not_reached() const noexcept { return jobs_.size() - reached_; }

  const Store& store_;
  const RestoreFlags& flags_;
  Session& session_;
  Console& console_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::vector<RestoreJob> jobs_;
  std::unordered_map<Digest, std::uint64_t> bytes_of_;
  std::uint64_t bytes_ = 0;
  std::uint64_t reached_ = 0;  // of the jobs: done or failed
  std::uint64_t restored_ = 0;
  std::uint64_t failed_ = 0;
  bool is_late_ = false;  // The CPU time was used up.
  Exit exit_ = Exit::ok;
};

Exit run(const RestoreFlags& flags, Session& session) {
  const SignalWatch signals(session.stop);
  const auto done = [&]() -> Result<Exit> {
    CHUNKER_TRY_VOID(check(flags));
    CHUNKER_TRY(const auto range, range_of(flags.range));
    CHUNKER_TRY(const Store store,
                Store::open(flags.store, {.memory_budget = session.memory.budget()}));
    if (flags.output.empty()) return ManyFiles(store, flags, session).run();
    CHUNKER_TRY_VOID(restore_one(store, flags, range, session));
    return Exit::ok;
  }();
  return done ? *done : session.console.report(done.error());
}

}  // namespace

void add_restore(CLI::App& program, Session& session) {
  auto flags = std::make_shared<RestoreFlags>();
  CLI::App& command = *program.add_subcommand("restore", "Give NARs back, bit for bit");
  add_words(command, "NAME", flags->names, "Names or hashes");
  add_store(command, flags->store);
  add_text(command, "-o,--output", flags->output, "FILE",
           "Where to; replaced if there; - is standard output");
  command.add_flag("--all", flags->all, "Every NAR of the store");
  add_text(command, "--output-dir", flags->output_directory, "DIR",
           "Files of their names in here; made if absent, files are replaced");
  command.add_flag("--tree", flags->tree, "Unpack: FILE is then a path that must not be there yet");
  add_text(command, "--range", flags->range, "OFFSET:BYTES",
           "Only this part of the one NAR; its SHA-256 is then not checked");
  add_json(command, session);
  add_quiet(command, session);
  add_threads(command, flags->threads);
  add_nice(command, session);
  add_memory_limit(command, session);
  add_quota(command, flags->quota);
  add_footer(command, kExamples);
  on_chosen(command, session, [flags, &session] { return run(*flags, session); });
}

}  // namespace chunker::cli
