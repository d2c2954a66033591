#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chunker::cli {

/// Amounts of bytes with a bar each, to be seen at a glance: 80 columns, no colors. A bar stands where its amount
/// begins and ends, so that parts of a whole make a staircase.
/// Owns:    its rows.
/// Threads: confined.
/// Errors:  none.
/// Cost:    a line per row.
class BarTable {
 public:
  /// Shares are those of `whole`.
  explicit BarTable(std::uint64_t whole) : whole_(whole) {}

  /// An amount from `begin` to `end`, drawn with `sign`; one that is nothing has no row.
  void add(std::string_view label, std::uint64_t begin, std::uint64_t end, char sign);
  /// The lines; the longest bar has all the room.
  [[nodiscard]] std::string text() const;

 private:
  struct Row {
    std::string label;
    std::uint64_t begin;
    std::uint64_t end;
    char sign;
  };
  std::uint64_t whole_;
  std::vector<Row> rows_;
};

/// A staircase from an amount down, or up, to another: each step begins where the one before has ended.
/// Threads: confined.
class Staircase {
 public:
  explicit Staircase(std::string_view label, std::uint64_t bytes) : table_(bytes), level_(bytes) {
    table_.add(label, 0, bytes, '#');
  }

  /// Instead of `from` bytes there are `to`.
  void step(std::string_view label, std::uint64_t from, std::uint64_t to);
  /// Where the steps have led, as the last row.
  [[nodiscard]] std::string finish(std::string_view label) &&;

 private:
  BarTable table_;
  std::uint64_t level_;
};

}  // namespace chunker::cli
