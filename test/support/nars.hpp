#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/nar.hpp"

namespace chunker::test {

/// Bytes that do not compress and do not repeat; the same for the same seed, for ever.
inline std::string random_bytes(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// Text that compresses about four to one.
inline std::string random_text(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < size) {
    text.append("word")
        .append(std::to_string(random() % 5000))
        .append(random() % 9 == 0 ? "\n" : " ");
  }
  text.resize(size);
  return text;
}

struct FileOfNar {
  std::string name;
  std::string contents;
};

/// The NAR of a directory with these files; names ascend.
inline std::string make_nar(const std::vector<FileOfNar>& files) {
  std::string nar;
  NarWriter writer([&nar](Bytes bytes) -> Result<void> {
    nar.append(text_of(bytes));
    return {};
  });
  EXPECT_TRUE(writer.begin_directory(""));
  for (const FileOfNar& file : files) {
    EXPECT_TRUE(
        writer.begin_file(file.name, {.executable = false, .size_bytes = file.contents.size()}));
    EXPECT_TRUE(writer.contents(bytes_of(file.contents)));
  }
  EXPECT_TRUE(writer.end_directory());
  EXPECT_TRUE(writer.finish());
  return nar;
}

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace chunker::test
