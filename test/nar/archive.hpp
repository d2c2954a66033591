#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/nar.hpp"

namespace chunker::test {

/// An archive spelled token by token, right or wrong.
class Archive {
 public:
  /// Each as a string of the format: length, bytes, zeros.
  template <class... Texts>
  Archive& strings(const Texts&... texts) {
    (string(texts), ...);
    return *this;
  }
  Archive& number(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Archive& raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  /// The magic and the first tokens of an entry in the root directory.
  Archive& entry(std::string_view name) { return strings("entry", "(", "name", name, "node"); }
  Archive& empty_file() { return strings("(", "type", "regular", "contents", "", ")"); }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }

  static Archive root_directory() {
    return Archive().strings("nix-archive-1", "(", "type", "directory");
  }

 private:
  void string(std::string_view text) {
    number(text.size());
    raw(text).raw(std::string((8 - text.size() % 8) % 8, '\0'));
  }

  std::string bytes_;
};

/// Writes down every event; pieces of contents that follow each other count as one.
class Recorder final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view target) override {
    log("entry", entry, target);
    return {};
  }
  Result<void> on_contents(Bytes piece) override {
    if (!in_contents_) events_.emplace_back("contents ");
    in_contents_ = true;
    events_.back().append(text_of(piece));
    return {};
  }
  Result<void> on_entry_end(const NarEntry& entry) override {
    log("end", entry, {});
    return {};
  }

  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }

 private:
  void log(std::string_view what, const NarEntry& entry, std::string_view target) {
    in_contents_ = false;
    std::string line(what);
    line.append(entry.type == NarEntryType::regular     ? " file "
                : entry.type == NarEntryType::directory ? " directory "
                                                        : " symlink ");
    line.append(entry.path).append(entry.executable ? " x " : " ");
    line.append(std::to_string(entry.offset_bytes)).append("+");
    line.append(std::to_string(entry.size_bytes)).append(" ").append(target);
    events_.push_back(std::move(line));
  }

  std::vector<std::string> events_;
  bool in_contents_ = false;
};

/// What a parser made of an input.
struct Outcome {
  std::vector<std::string> events;
  Result<void> result;
};

/// Parses `archive`, split before each of `cuts` (ascending).
inline Outcome parse_split(std::string_view archive, const std::vector<std::size_t>& cuts) {
  Recorder recorder;
  NarParser parser;
  Result<void> result;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size() && result; ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : archive.size();
    // Each piece lies in memory of its own, so that sanitizers see a view that outlives its piece.
    const std::vector<char> piece(archive.begin() + static_cast<std::ptrdiff_t>(begin),
                                  archive.begin() + static_cast<std::ptrdiff_t>(end));
    result = parser.feed(std::as_bytes(std::span(piece)), recorder);
    begin = end;
  }
  if (result) result = parser.finish();
  return {recorder.events(), result};
}

inline Outcome parse_whole(std::string_view archive) { return parse_split(archive, {}); }

inline Outcome parse_bytewise(std::string_view archive) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 1; at < archive.size(); ++at) cuts.push_back(at);
  return parse_split(archive, cuts);
}

}  // namespace chunker::test
