#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/check.hpp"
#include "chunker/hash.hpp"
#include "chunker/nar.hpp"
#include "chunker/restore.hpp"

// What targets need that work with whole stores.
namespace chunker::fuzz {

/// A fresh directory, in memory if possible, that goes away with everything in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        (std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path()) /
        "chunker-fuzz-XXXXXX";
    CHUNKER_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// The NAR of a directory with this one file.
inline std::string nar_of(std::string_view contents) {
  std::string nar;
  NarWriter writer([&nar](Bytes bytes) -> Result<void> {
    nar.append(text_of(bytes));
    return {};
  });
  const bool written =
      writer.begin_directory("") && writer.begin_file("bin", {false, contents.size()}) &&
      writer.contents(bytes_of(contents)) && writer.end_directory() && writer.finish();
  CHUNKER_CHECK(written);
  return nar;
}

/// Whatever the store is like: the right bytes or an error.
inline Result<std::string> restored(const Store& store, const Digest& nar_sha256) {
  std::string nar;
  const auto done = restore(store, nar_sha256,
                            [&nar](Bytes bytes) -> Result<void> {
                              nar.append(text_of(bytes));
                              return {};
                            },
                            {.threads = 1});
  if (!done) return std::unexpected(done.error());
  CHUNKER_CHECK(HashAlgorithm::sha256().hash(bytes_of(nar)) == nar_sha256);
  return nar;
}

}  // namespace chunker::fuzz
