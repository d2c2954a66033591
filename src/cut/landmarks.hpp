#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/recipe.hpp"
#include "cut/contents.hpp"
#include "cut/executable.hpp"
#include "cut/tail.hpp"

namespace chunker::cut {

/// So many bytes from the beginning of contents tell what they are. Cuts in them do not move, nor any in contents
/// that have no more.
inline constexpr std::uint64_t kBeginningBytes = 4096;

/// How far a natural cut moves at most: avg/4, and never so far back that a cutter had to scan bytes again.
/// `recipe` is valid.
[[nodiscard]] std::uint64_t landmark_reach(const Recipe& recipe) noexcept;

/// Follows a stream and knows where in files' contents cuts are preferred: landmarks (doc/format/recipe.md).
/// Owns:    less than avg_bytes of the stream, 4 KiB of a file's beginning, and 3 KiB at most for each executable
///          that the stream was in within that.
/// Threads: movable.
/// Errors:  none; std::bad_alloc.
/// Cost:    a copy of up to half of avg_bytes for each piece; up to a quarter is looked at for each cut.
class Landmarks {
 public:
  Landmarks(const Recipe& recipe, std::uint64_t offset_bytes);

  /// Tells where the next file's contents lie: in order, and before the piece that holds their first byte.
  void add(Contents contents);
  /// The next bytes; they stay borrowed until forget().
  void see(Bytes piece);
  /// All cuts that were asked for are made: what no later one needs is dropped, the piece too.
  void forget();

  /// Where a natural cut of the chunk that begins at `start` moves to; `natural` itself if nothing attracts it.
  /// It lies in the piece or, before it, no further than its mode looks back.
  [[nodiscard]] std::uint64_t move(std::uint64_t start, std::uint64_t natural);

 private:
  struct File {
    Contents contents;
    bool is_text;
    Executable executable;
  };

  [[nodiscard]] File classify(Contents contents) const;
  [[nodiscard]] const File* file_at(std::uint64_t offset) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> section_near(const File& file, std::uint64_t start,
                                                          std::uint64_t natural) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> function_before(const File& file, std::uint64_t first,
                                                             std::uint64_t natural);
  [[nodiscard]] std::optional<std::uint64_t> text_before(std::uint64_t first,
                                                         std::uint64_t natural);
  [[nodiscard]] Bytes window(std::uint64_t begin, std::uint64_t end);

  Recipe recipe_;
  std::uint64_t reach_;
  std::uint64_t history_bytes_;
  std::deque<Contents> upcoming_;     // whose beginning was not seen to its end
  std::vector<std::byte> beginning_;  // what was seen of the first of these
  std::deque<File> files_;
  std::uint64_t seen_;
  Bytes piece_;  // ends at seen_
  Tail tail_;    // ends where the piece begins
  std::vector<std::byte> joined_;
};

}  // namespace chunker::cut
