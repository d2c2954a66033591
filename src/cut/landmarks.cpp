#include "cut/landmarks.hpp"

#include <algorithm>

#include "cut/landmark_search.hpp"
#include "cut/params.hpp"

namespace chunker::cut {

std::uint64_t landmark_reach(const Recipe& recipe) noexcept {
  return std::min(recipe.avg_bytes / 4, recipe.min_bytes - kMinBytesMin);
}

Landmarks::Landmarks(const Recipe& recipe, std::uint64_t offset_bytes)
    : recipe_(recipe),
      reach_(landmark_reach(recipe)),
      // The biased mode decides avg/4 behind a natural cut, and may go on as far before it.
      history_bytes_((recipe.nar_mode == NarMode::biased ? recipe.avg_bytes / 2 : reach_) +
                     kWordBytes),
      seen_(offset_bytes),
      tail_(offset_bytes) {}

void Landmarks::add(Contents contents) {
  if (contents.size_bytes > kBeginningBytes) upcoming_.push_back(contents);
}

void Landmarks::see(Bytes piece) {
  const std::uint64_t begin = seen_;
  piece_ = piece;
  seen_ += piece.size();
  while (!upcoming_.empty()) {
    const std::uint64_t next = upcoming_.front().offset_bytes + beginning_.size();
    if (next >= seen_) return;
    const Bytes rest = piece.subspan(static_cast<std::size_t>(next - begin));
    const Bytes taken = rest.first(std::min(rest.size(), kBeginningBytes - beginning_.size()));
    beginning_.insert(beginning_.end(), taken.begin(), taken.end());
    if (beginning_.size() != kBeginningBytes) return;
    files_.push_back(classify(upcoming_.front()));
    upcoming_.pop_front();
    beginning_.clear();
  }
}

void Landmarks::forget() {
  const std::uint64_t oldest = seen_ - std::min(seen_, history_bytes_);
  tail_.keep_from(std::clamp(oldest, tail_.begin(), seen_), piece_);
  piece_ = {};
  while (!files_.empty() && files_.front().contents.end() <= oldest) files_.pop_front();
}

std::uint64_t Landmarks::move(std::uint64_t start, std::uint64_t natural) {
  const File* const file = file_at(natural);
  if (file == nullptr) return natural;
  if (recipe_.prefer_sections) {
    if (const auto section = section_near(*file, start, natural)) return *section;
  }
  const std::uint64_t first = std::max({natural - std::min(natural, reach_),
                                        start + recipe_.min_bytes, file->contents.offset_bytes});
  if (first >= natural) return natural;
  std::optional<std::uint64_t> found;
  if (recipe_.dedup_hint) found = function_before(*file, first, natural);
  if (!found && file->is_text) found = text_before(first, natural);
  return found.value_or(natural);
}

Landmarks::File Landmarks::classify(Contents contents) const {
  const bool wants_text = recipe_.prefer_definitions || recipe_.prefer_lines;
  const bool wants_parts = recipe_.prefer_sections || recipe_.dedup_hint;
  return {.contents = contents,
          .is_text = wants_text && begins_like_text(beginning_),
          .executable = wants_parts ? read_executable(beginning_) : Executable{}};
}

const Landmarks::File* Landmarks::file_at(std::uint64_t offset) const noexcept {
  const auto behind = std::ranges::upper_bound(
      files_, offset, {}, [](const File& file) { return file.contents.offset_bytes; });
  if (behind == files_.begin()) return nullptr;
  const File& file = *std::prev(behind);
  const bool inside =
      offset - file.contents.offset_bytes >= kBeginningBytes && offset < file.contents.end();
  return inside ? &file : nullptr;
}

std::optional<std::uint64_t> Landmarks::section_near(const File& file, std::uint64_t start,
                                                     std::uint64_t natural) const noexcept {
  const std::uint64_t file_begin = file.contents.offset_bytes;
  const std::uint64_t first =
      std::max({natural - std::min(natural, reach_), start + recipe_.min_bytes, file_begin});
  const std::uint64_t last =
      std::min({natural + reach_, start + recipe_.max_bytes, file.contents.end() - 1});
  const auto nearest =
      file.executable.nearest_boundary(natural - file_begin, first - file_begin, last - file_begin);
  return nearest ? std::optional(file_begin + *nearest) : std::nullopt;
}

std::optional<std::uint64_t> Landmarks::function_before(const File& file, std::uint64_t first,
                                                        std::uint64_t natural) {
  const std::uint64_t file_begin = file.contents.offset_bytes;
  const auto code = file.executable.code_at(natural - file_begin);
  if (!code) return std::nullopt;
  const std::uint64_t begin = std::max(first - file_begin, code->begin);
  const auto found = last_function(window(file_begin + begin, natural), begin, file.executable);
  return found ? std::optional(file_begin + begin + *found) : std::nullopt;
}

std::optional<std::uint64_t> Landmarks::text_before(std::uint64_t first, std::uint64_t natural) {
  const Bytes bytes = window(first, natural);
  std::optional<std::size_t> found;
  if (recipe_.prefer_definitions) found = last_definition(bytes);
  if (!found && recipe_.prefer_lines) found = last_line(bytes);
  return found ? std::optional(first + *found) : std::nullopt;
}

// The stream from `begin` to `end`, from the tail, the piece, or both.
Bytes Landmarks::window(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t piece_begin = seen_ - piece_.size();
  const auto size = static_cast<std::size_t>(end - begin);
  if (begin >= piece_begin) {
    return piece_.subspan(static_cast<std::size_t>(begin - piece_begin), size);
  }
  const Bytes old = tail_.from(begin);
  if (end <= piece_begin) return old.first(size);
  const Bytes fresh = piece_.first(size - old.size());
  joined_.assign(old.begin(), old.end());
  joined_.insert(joined_.end(), fresh.begin(), fresh.end());
  return joined_;
}

}  // namespace chunker::cut
