#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.hpp"
#include "chunker/nar.hpp"

namespace chunker::test {

/// A file tree in memory.
struct Tree {
  NarEntryType type = NarEntryType::regular;
  bool executable = false;
  std::string text;  ///< Contents or target.
  std::map<std::string, Tree> entries;

  friend bool operator==(const Tree&, const Tree&) = default;
};

enum class Alphabet : std::uint8_t { bytes, utf8 };

/// Random trees, the same ones for the same seed. Names and targets are of any bytes, or UTF-8.
class TreeMaker {
 public:
  explicit TreeMaker(std::uint64_t seed, Alphabet alphabet = Alphabet::bytes)
      : random_(seed), alphabet_(alphabet) {}

  Tree tree(int depth_max) {
    Tree made;
    switch (depth_max > 0 ? below(4) : below(2)) {
      case 0:
        made.type = NarEntryType::symlink;
        made.text = bytes(1 + below(40));
        break;
      case 1:
        made.executable = below(2) == 0;
        made.text = bytes(below(8) == 0 ? below(200'000) : below(100));
        break;
      default:
        made.type = NarEntryType::directory;
        for (auto left = below(6); left > 0; --left) {
          made.entries.insert_or_assign(name(), tree(depth_max - 1));
        }
    }
    return made;
  }

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

 private:
  // Few letters, so that one name is often the beginning of another.
  std::string name() {
    std::string made = below(2) == 0 ? letters(1 + below(4)) : bytes(1 + below(20));
    std::ranges::replace(made, '/', '~');
    if (below(50) == 0) made = letters(kNarNameBytesMax - 1);  // a letter may be two bytes
    return made == "." || made == ".." ? "..." : made;
  }
  std::string letters(std::size_t size) {
    std::string made;
    const std::string_view odd = alphabet_ == Alphabet::bytes ? "\xe9" : "\xc3\xa9";
    while (made.size() < size) made.append(std::array{"a", "B", ".", odd.data()}[below(4)]);
    return made;
  }
  // Any bytes but NUL, or any ASCII but NUL.
  std::string bytes(std::size_t size) {
    const unsigned end = alphabet_ == Alphabet::bytes ? 256 : 128;
    std::string made(size, ' ');
    for (char& c : made) c = static_cast<char>(1 + random_() % (end - 1));
    return made;
  }

  std::mt19937_64 random_;
  Alphabet alphabet_;
};

inline Result<void> write_tree(NarWriter& nar, std::string_view name, const Tree& tree) {
  switch (tree.type) {
    case NarEntryType::symlink:
      return nar.add_symlink(name, tree.text);
    case NarEntryType::regular:
      CHUNKER_TRY_VOID(
          nar.begin_file(name, {.executable = tree.executable, .size_bytes = tree.text.size()}));
      return nar.contents(bytes_of(tree.text));
    case NarEntryType::directory:
      CHUNKER_TRY_VOID(nar.begin_directory(name));
      for (const auto& [child_name, child] : tree.entries) {
        CHUNKER_TRY_VOID(write_tree(nar, child_name, child));
      }
      return nar.end_directory();
  }
  return {};
}

/// Builds the tree that a parser sees.
class TreeBuilder final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view target) override {
    Tree made{entry.type, entry.executable, std::string(target), {}};
    Tree* at = &root;
    if (!entry.path.empty()) {
      const auto name = entry.path.substr(entry.path.rfind('/') + 1);
      at = &open_.back()->entries[name];
    }
    *at = std::move(made);
    if (entry.type != NarEntryType::symlink) open_.push_back(at);
    return {};
  }
  Result<void> on_contents(Bytes piece) override {
    open_.back()->text.append(text_of(piece));
    return {};
  }
  Result<void> on_entry_end(const NarEntry&) override {
    open_.pop_back();
    return {};
  }

  Tree root;

 private:
  std::vector<Tree*> open_;
};

}  // namespace chunker::test
