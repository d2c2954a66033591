#include "cli/ingest_sources.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/try.hpp"
#include "cli/flags.hpp"

namespace chunker::cli {
namespace {

// Bounds memory, which is about 1 KB for each; ending a group costs as much as a hundred small NARs.
constexpr std::size_t kGroupSourcesMax = 1 << 14;

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

IngestSource source_of(const std::string& file, bool tree) {
  IngestSource source;
  if (file == kStandardInput) {
    source.kind = IngestSource::Kind::file_descriptor;
    source.descriptor = STDIN_FILENO;
    return source;
  }
  source.kind = tree ? IngestSource::Kind::tree : IngestSource::Kind::nar_file;
  source.path = file;
  if (!is_plain_file_name(source.path.filename().native())) {
    // "dir/", "." and "..": what they are called where they lie. "/" has no name; its hash will do.
    std::error_code ignored;
    const auto real = std::filesystem::canonical(source.path, ignored);
    source.name = real.filename();
  }
  return source;
}

}  // namespace

void SourceFlags::add_to(CLI::App& command) {
  add_words(command, "FILE", files, "NAR files, or file trees with --tree; - is standard input");
  command.add_flag("--tree", tree, "Each FILE is a file tree: make its NAR on the way");
  add_text(command, "--name", name, "NAME", "What to call the one NAR");
  add_text(command, "--files-from", files_from, "LIST",
           "More files, one a line; - is standard input");
  command.add_flag("-0,--null", null_separated, "The list's names end with NUL, not newline");
}

Result<void> SourceFlags::check() const {
  if (files.empty() && files_from.empty()) {
    return std::unexpected(usage_error("name at least one FILE, or a list with --files-from"));
  }
  if (std::ranges::count(files, kStandardInput) + (files_from == kStandardInput ? 1 : 0) > 1) {
    return std::unexpected(usage_error("standard input can be read only once"));
  }
  if (name.empty()) return {};
  if (files.size() != 1 || !files_from.empty()) {
    return std::unexpected(usage_error("--name goes with exactly one FILE"));
  }
  if (!is_plain_file_name(name)) {
    return std::unexpected(usage_error("--name must be a file name, without '/'", name));
  }
  return {};
}

bool SourceFlags::are_files() const {
  return !tree && std::ranges::count(files, kStandardInput) == 0;
}

SourceList::SourceList(const SourceFlags& flags)
    : flags_(flags),
      standard_input_taken_(flags.files_from == kStandardInput ||
                            std::ranges::count(flags.files, kStandardInput) != 0) {}

Result<void> SourceList::open(std::stop_token stop) {
  if (flags_.files_from.empty()) return {};
  const char end = flags_.null_separated ? '\0' : '\n';
  CHUNKER_TRY(list_, LineReader::open(flags_.files_from, end, std::move(stop)));
  return {};
}

Result<std::vector<IngestSource>> SourceList::next_group(bool& last) {
  std::vector<IngestSource> group;
  while (group.size() < kGroupSourcesMax && next_argument_ < flags_.files.size()) {
    group.push_back(source_of(flags_.files[next_argument_++], flags_.tree));
  }
  while (list_ && group.size() < kGroupSourcesMax) {
    CHUNKER_TRY(const auto line, list_->next());
    if (!line) {
      list_.reset();
    } else if (!line->empty()) {
      if (*line == kStandardInput && std::exchange(standard_input_taken_, true)) {
        return std::unexpected(usage_error("this list names standard input, which is read already",
                                           label_of(flags_.files_from)));
      }
      group.push_back(source_of(std::string(*line), flags_.tree));
    }
  }
  last = next_argument_ == flags_.files.size() && !list_;
  if (!flags_.name.empty() && group.size() == 1) group.front().name = flags_.name;
  return group;
}

}  // namespace chunker::cli
