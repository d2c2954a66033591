#include "cli/bar_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::size_t kCells = 38;

std::string bar(double begin, double end, char sign) {
  const auto cell = [](double part) {
    return static_cast<std::size_t>(std::lround(part * static_cast<double>(kCells)));
  };
  // What is there is seen, however little it is.
  const std::size_t first = std::min(cell(begin), kCells - 1);
  const std::size_t last = std::max(cell(end), first + 1);
  return std::string(first, ' ') + std::string(last - first, sign);
}

}  // namespace

void BarTable::add(std::string_view label, std::uint64_t begin, std::uint64_t end, char sign) {
  if (end > begin) rows_.push_back({std::string(label), begin, end, sign});
}

std::string BarTable::text() const {
  std::uint64_t longest = 1;
  for (const Row& row : rows_) longest = std::max(longest, row.end);
  const auto part = [longest](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(longest);
  };
  std::string text;
  for (const Row& row : rows_) {
    const std::uint64_t bytes = row.end - row.begin;
    if (!text.empty()) text += '\n';
    text += fmt::format("  {:<18} {:>10} {:>8}  {}", row.label, human_bytes(bytes),
                        percent(bytes, whole_), bar(part(row.begin), part(row.end), row.sign));
  }
  return text;
}

void Staircase::step(std::string_view label, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t before = level_;
  level_ = before + to - std::min(before + to, from);
  if (level_ < before) {
    table_.add(label, level_, before, '-');
  } else {
    table_.add(label, before, level_, '+');
  }
}

std::string Staircase::finish(std::string_view label) && {
  table_.add(label, 0, level_, '#');
  return table_.text();
}

}  // namespace chunker::cli
