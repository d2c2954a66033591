#pragma once

#include <gtest/gtest.h>
#include <sys/fsuid.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "chunker/nar_tree.hpp"
#include "nar/tree.hpp"
#include "support/lower_limit.hpp"

// What tests of trees on disk share.
namespace chunker::test {

inline void make_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  ASSERT_TRUE(out.flush()) << path;
}

inline void make_tree(const std::filesystem::path& path, const Tree& tree) {
  namespace fs = std::filesystem;
  switch (tree.type) {
    case NarEntryType::symlink:
      fs::create_symlink(tree.text, path);
      break;
    case NarEntryType::regular:
      make_file(path, tree.text);
      if (tree.executable) fs::permissions(path, fs::perms::owner_exec, fs::perm_options::add);
      break;
    case NarEntryType::directory:
      fs::create_directory(path);
      for (const auto& [name, child] : tree.entries) make_tree(path / name, child);
  }
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What a command prints; the test fails if the command does.
inline std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string output;
  char buffer[65536];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) {
    output.append(buffer, got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n(nix-store and nix come with the package nix-bin)";
  return output;
}

inline std::string nix_dump(const std::filesystem::path& path) {
  return output_of("nix-store --dump '" + path.string() + "'");
}

inline Result<std::string> dump(const std::filesystem::path& path) {
  std::string nar;
  Result<void> done = dump_tree(path, [&](Bytes piece) -> Result<void> {
    nar.append(text_of(piece));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return nar;
}

/// This thread has nobody's rights on files as long as this lives, also where root runs the tests.
class AsNobody {
 public:
  AsNobody() { ::setfsuid(65534); }
  ~AsNobody() { ::setfsuid(::geteuid()); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
};

}  // namespace chunker::test
