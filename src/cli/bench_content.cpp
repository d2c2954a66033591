#include "cli/bench_content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/try.hpp"
#include "chunker/nar.hpp"
#include "cli/flags.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

/// Knuth's MMIX generator: the same on every machine.
class Numbers {
 public:
  std::uint64_t next() noexcept {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }

 private:
  std::uint64_t state_ = 1;
};

ByteBuffer made_up_piece(Numbers& numbers, std::size_t kind, std::size_t bytes) {
  const bool is_text = kind % 2 == 0, is_noise = kind % 8 == 7;
  ByteBuffer piece;
  while (piece.size() < bytes) {
    const std::uint64_t number = is_noise ? numbers.next() * numbers.next() : numbers.next() % 4000;
    piece.append(is_text ? bytes_of(fmt::format("word{} = ", number))
                         : std::as_bytes(std::span(&number, 1)).first(is_noise ? 8 : 3));
  }
  piece.resize(bytes);
  return piece;
}

Result<ByteBuffer> read_nar(const std::string& path, std::uint64_t bytes) {
  CHUNKER_TRY(const auto file, resource::File::open_read(path));
  ByteBuffer nar(static_cast<std::size_t>(bytes));
  CHUNKER_TRY(const std::size_t read, file.read_at(0, nar.span()));
  nar.resize(read);
  if (!text_of(nar).starts_with(kNarMagic)) {
    return std::unexpected(usage_error("only NARs can be measured", path));
  }
  return nar;
}

Result<std::uint64_t> size_of(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return std::unexpected(
        usage_error("only files can be measured, no directories, no pipes", path));
  }
  CHUNKER_TRY(const auto file, resource::File::open_read(path));
  return file.size();
}

Result<void> check_stop(const std::stop_token& stop) {
  if (!stop.stop_requested()) return {};
  return base::fail(ErrorCode::cancelled, "stopped on request");
}

Result<BenchContent> made_up_content(std::uint64_t bytes, const std::stop_token& stop) {
  CHUNKER_TRY(ByteBuffer nar, made_up_nar(bytes, stop));
  BenchContent content;
  content.bytes = nar.size();
  content.names.emplace_back("made-up.nar");
  content.is_made_up = true;
  content.nars.push_back(std::move(nar));
  return content;
}

}  // namespace

std::vector<ByteBuffer> made_up_pieces(std::size_t count, std::size_t piece_bytes) {
  Numbers numbers;
  std::vector<ByteBuffer> pieces;
  for (std::size_t i = 0; i < count; ++i) pieces.push_back(made_up_piece(numbers, i, piece_bytes));
  return pieces;
}

Result<ByteBuffer> made_up_nar(std::uint64_t bytes, const std::stop_token& stop) {
  constexpr std::size_t kSizes[] = {4 << 20, 1 << 10, 64 << 10, 1 << 20, 300 << 10, 5000, 2 << 20};
  ByteBuffer nar;
  NarWriter writer([&nar](Bytes piece) -> Result<void> {
    nar.append(piece);
    return {};
  });
  Numbers numbers;
  CHUNKER_TRY_VOID(writer.begin_directory(""));
  for (std::size_t i = 0; writer.offset_bytes() < bytes; ++i) {
    CHUNKER_TRY_VOID(check_stop(stop));
    const std::uint64_t left = bytes - writer.offset_bytes();
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(left, kSizes[i % std::size(kSizes)]));
    CHUNKER_TRY_VOID(writer.begin_file(fmt::format("file-{:08}", i), {.size_bytes = size}));
    CHUNKER_TRY_VOID(writer.contents(made_up_piece(numbers, i, size)));
  }
  CHUNKER_TRY_VOID(writer.end_directory());
  CHUNKER_TRY_VOID(writer.finish());
  return nar;
}

Result<BenchContent> bench_content(std::span<const std::string> files, std::uint64_t bytes_max,
                                   const std::stop_token& stop) {
  if (files.empty()) return made_up_content(bytes_max, stop);
  BenchContent content;
  for (const std::string& file : files) {
    CHUNKER_TRY_VOID(check_stop(stop));
    CHUNKER_TRY(const std::uint64_t size, size_of(file));
    if (size > bytes_max - content.bytes) {
      ++content.left_out_count;
      continue;
    }
    CHUNKER_TRY(ByteBuffer nar, read_nar(file, size));
    content.bytes += nar.size();
    content.nars.push_back(std::move(nar));
    content.names.push_back(file);
  }
  if (content.nars.empty()) {
    return std::unexpected(
        usage_error("no file fits; a larger --sample takes more memory", files.front()));
  }
  return content;
}

}  // namespace chunker::cli
