#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/ingest.hpp"
#include "cli/io.hpp"

namespace chunker::cli {

/// The options that say what to ingest.
struct SourceFlags {
  std::vector<std::string> files;
  std::string files_from;
  bool null_separated = false;
  bool tree = false;
  std::string name;

  void add_to(CLI::App& command);
  /// Errors: invalid_argument for what does not go together.
  [[nodiscard]] Result<void> check() const;
  /// Whether the arguments are NAR files, and neither trees nor standard input. Of a list nobody knows yet.
  [[nodiscard]] bool are_files() const;
};

/// Gives the sources in groups, so that a list of millions does not have to fit in memory: the arguments, then
/// the lines of --files-from.
/// Owns:    the open list; the flags must outlive it.
/// Threads: movable.
/// Errors:  io_* of the list, cancelled while it is waited for; invalid_argument for a second use of standard input.
class SourceList {
 public:
  explicit SourceList(const SourceFlags& flags);

  [[nodiscard]] Result<void> open(std::stop_token stop);
  /// The next ones; none at the end. `last` if no more can follow.
  [[nodiscard]] Result<std::vector<IngestSource>> next_group(bool& last);

 private:
  const SourceFlags& flags_;
  std::size_t next_argument_ = 0;
  std::optional<LineReader> list_;
  bool standard_input_taken_;
};

}  // namespace chunker::cli
