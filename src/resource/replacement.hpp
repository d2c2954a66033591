#pragma once

#include <cstdint>
#include <filesystem>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "resource/file.hpp"

namespace chunker::resource {

/// A file that appears under its name only once it is complete; what was there before stays until then.
/// Something that is no regular file (a pipe, /dev/null) is written to directly.
/// Owns:    the unfinished file beside the path, removed unless committed.
/// Threads: movable.
/// Errors:  io_*, with the path.
/// Cost:    writes go through; nothing is synced, since the source of the bytes still has them.
class Replacement {
 public:
  [[nodiscard]] static Result<Replacement> begin(const std::filesystem::path& path);
  Replacement(Replacement&&) noexcept = default;
  Replacement& operator=(Replacement&&) = delete;
  ~Replacement();

  /// Says how many bytes will be appended: where the file system can tell now, a full disk is an error now.
  [[nodiscard]] Result<void> reserve(std::uint64_t size_bytes) {
    return direct_ ? Result<void>() : file_.reserve(size_bytes);
  }
  [[nodiscard]] Result<void> append(Bytes bytes) { return file_.write_all(bytes); }
  [[nodiscard]] Result<void> commit();

 private:
  Replacement(File file, std::filesystem::path path, bool direct)
      : file_(std::move(file)), path_(std::move(path)), direct_(direct) {}

  File file_;
  std::filesystem::path path_;
  bool direct_;
};

}  // namespace chunker::resource
