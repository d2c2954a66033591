#include "chunker/nar.hpp"

#include <fmt/format.h>

#include <memory>

#include "base/try.hpp"
#include "chunker/hash.hpp"
#include "chunker/nar_listing.hpp"
#include "chunker/nar_tree.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"(
These need no store. FILE may be - for standard input.

Examples:
  chunker nar ls hello.nar
  chunker nar ls --json hello.nar | jq '.root.entries.bin'
  xz -dc hello.nar.xz | chunker nar check -
  chunker nar dump ./hello -o hello.nar        # what nix-store --dump writes
  chunker nar unpack hello.nar ./hello         # what nix-store --restore makes
)";

struct NarFlags {
  std::vector<std::string> files;
  std::string input;
  std::string output;
};

// Feeds a file to a parser, and says in errors which file it was.
Result<void> parse_file(const std::string& file, NarVisitor& visitor,
                        const std::function<Result<void>(Bytes)>& after_piece) {
  NarParser parser;
  auto parsed = read_input(file, [&](Bytes piece) -> Result<void> {
    CHUNKER_TRY_VOID(parser.feed(piece, visitor));
    return after_piece(piece);
  });
  if (parsed) parsed = parser.finish();
  if (parsed || parsed.error().code >= ErrorCode::io_unavailable) return parsed;
  return std::unexpected(Error(parsed.error()).within(label_of(file)));
}

class TablePrinter final : public NarVisitor {
 public:
  explicit TablePrinter(Console& console) : console_(console) {}

  Result<void> on_entry(const NarEntry& entry, std::string_view target) override {
    std::string line =
        fmt::format("{}  {:>12}  {:>12}  {}", mode_of(entry), entry.size_bytes, entry.offset_bytes,
                    entry.path.empty() ? "." : printable(entry.path));
    if (entry.type == NarEntryType::symlink) line += " -> " + printable(target);
    console_.print(line);
    return {};
  }

 private:
  static std::string_view mode_of(const NarEntry& entry) {
    switch (entry.type) {
      case NarEntryType::directory:
        return "dr-xr-xr-x";
      case NarEntryType::symlink:
        return "lrwxrwxrwx";
      case NarEntryType::regular:
        return entry.executable ? "-r-xr-xr-x" : "-r--r--r--";
    }
    return "?";
  }

  Console& console_;
};

Result<void> list(const std::string& file, Console& console) {
  if (!console.json()) {
    TablePrinter table(console);
    return parse_file(file, table, [](Bytes) { return Result<void>(); });
  }
  NarListing listing;
  CHUNKER_TRY_VOID(
      parse_file(file, listing, [&](Bytes) { return console.write(bytes_of(listing.take())); }));
  return console.write(bytes_of(listing.take() + "\n"));
}

class EntryCounter final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view) override {
    ++entries;
    if (entry.type == NarEntryType::regular) ++files;
    return {};
  }

  std::uint64_t entries = 0;
  std::uint64_t files = 0;
};

Result<void> check(const std::string& file, Console& console) {
  EntryCounter counter;
  Sha256Stream hash;
  std::uint64_t bytes = 0;
  CHUNKER_TRY_VOID(parse_file(file, counter, [&](Bytes piece) -> Result<void> {
    hash.update(piece);
    bytes += piece.size();
    return {};
  }));
  const Digest nar_sha256 = hash.finish();
  if (console.json()) {
    console.print_json({{"kind", "nar"},
                        {"path", json_text(file)},
                        {"nar_sha256", nar_sha256.hex()},
                        {"nar_hash", nix_hash(nar_sha256)},
                        {"nar_bytes", bytes},
                        {"entries", counter.entries},
                        {"files", counter.files}});
  } else {
    console.print(fmt::format("ok  {:>10}  {:>14}  {}  {}", human_bytes(bytes),
                              counted(counter.entries, "entry", "entries"), nix_hash(nar_sha256),
                              printable(label_of(file))));
  }
  return {};
}

Exit check_all(const std::vector<std::string>& files, Console& console) {
  Exit exit = Exit::ok;
  for (const std::string& file : files) {
    if (const auto checked = check(file, console); !checked) {
      exit = worse(console.report(checked.error()), exit);
    }
  }
  return exit;
}

Result<void> dump(const NarFlags& flags, Console& console) {
  if (flags.output.empty() && console.output_is_terminal()) {
    return std::unexpected(
        usage_error("a terminal is no place for a NAR: say -o FILE, or -o - if it is meant"));
  }
  const std::string output = flags.output.empty() ? std::string(kStandardOutput) : flags.output;
  return write_output(output, console,
                      [&](const ByteSink& sink) { return dump_tree(flags.input, sink); });
}

Result<void> unpack(const NarFlags& flags) {
  CHUNKER_TRY(NarUnpacker unpacker, NarUnpacker::create(flags.output));
  auto unpacked = read_input(flags.input, [&](Bytes piece) { return unpacker.feed(piece); });
  if (unpacked) unpacked = unpacker.finish();
  if (!unpacked && !unpacked.error().context.starts_with(flags.input)) {
    return std::unexpected(std::move(unpacked).error().within(flags.input));
  }
  return unpacked;
}

}  // namespace

void add_nar(CLI::App& program, Session& session) {
  auto flags = std::make_shared<NarFlags>();
  CLI::App& nar =
      *program.add_subcommand("nar", "List, check, make and unpack NARs, without a store");
  nar.require_subcommand(1);
  add_footer(nar, kExamples);

  CLI::App& ls_command =
      *nar.add_subcommand("ls", "List what is in a NAR: mode, size, offset, path");
  add_word(ls_command, "FILE", flags->input, "A NAR")->required();
  add_json(ls_command, session);
  on_chosen(ls_command, session, [flags, &session] { return list(flags->input, session.console); });

  CLI::App& check_command = *nar.add_subcommand("check", "Check NARs, and show their hashes");
  add_words(check_command, "FILE", flags->files, "NARs")->required();
  add_json(check_command, session);
  on_chosen(check_command, session,
            [flags, &session] { return check_all(flags->files, session.console); });

  CLI::App& dump_command = *nar.add_subcommand("dump", "Make the NAR of a file tree");
  add_word(dump_command, "PATH", flags->input, "A directory, file or symlink")->required();
  add_text(dump_command, "-o,--output", flags->output, "FILE",
           "Where to; replaced if there; - is standard output, the default");
  on_chosen(dump_command, session, [flags, &session] { return dump(*flags, session.console); });

  CLI::App& unpack_command = *nar.add_subcommand("unpack", "Make the file tree of a NAR");
  add_word(unpack_command, "FILE", flags->input, "A NAR")->required();
  add_word(unpack_command, "TARGET", flags->output, "A path that must not be there yet")
      ->required();
  on_chosen(unpack_command, session, [flags] { return unpack(*flags); });
}

}  // namespace chunker::cli
