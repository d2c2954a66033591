#include "cli/io.hpp"

#include <unistd.h>

#include <utility>

#include "base/try.hpp"
#include "cli/flags.hpp"
#include "resource/file.hpp"
#include "resource/replacement.hpp"

namespace chunker::cli {

Result<void> write_output(const std::string& output, Console& console,
                          const std::function<Result<void>(const ByteSink&)>& produce) {
  if (output == kStandardOutput) return produce([&](Bytes bytes) { return console.write(bytes); });
  CHUNKER_TRY(auto file, resource::Replacement::begin(output));
  CHUNKER_TRY_VOID(produce([&](Bytes bytes) { return file.append(bytes); }));
  return file.commit();
}

namespace {

Result<resource::File> open_input(const std::string& input, const std::stop_token& stop = {}) {
  if (input != kStandardInput) return resource::File::open_read(input, stop);
  return resource::File::adopt(STDIN_FILENO, label_of(input));
}

}  // namespace

Result<void> read_input(const std::string& input, const ByteSink& sink) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  const bool standard = input == kStandardInput;
  CHUNKER_TRY(resource::File file, open_input(input));
  const auto read = [&]() -> Result<void> {
    ByteBuffer piece(kPieceBytes);
    for (;;) {
      CHUNKER_TRY(const std::size_t count, file.read_some(piece.span()));
      if (count == 0) return {};
      CHUNKER_TRY_VOID(sink(piece.view().first(count)));
    }
  }();
  if (standard) file.release();
  return read;
}

LineReader::LineReader(resource::File file, bool standard, char end, std::stop_token stop)
    : file_(std::move(file)), standard_(standard), end_(end), stop_(std::move(stop)) {}

LineReader::~LineReader() {
  if (standard_) file_.release();
}

Result<LineReader> LineReader::open(const std::string& input, char end, std::stop_token stop) {
  CHUNKER_TRY(resource::File file, open_input(input, stop));
  return LineReader(std::move(file), input == kStandardInput, end, std::move(stop));
}

Result<std::optional<std::string_view>> LineReader::next() {
  constexpr std::size_t kPieceBytes = 64 << 10;
  constexpr std::size_t kLineBytesMax = 1 << 20;
  for (std::size_t seen = begin_;;) {
    if (const std::size_t at = text_.find(end_, seen); at != std::string::npos) {
      const std::size_t begin = std::exchange(begin_, at + 1);
      return std::string_view(text_).substr(begin, at - begin);
    }
    text_.erase(0, std::exchange(begin_, 0));
    if (ended_) break;
    if (text_.size() > kLineBytesMax) {
      return std::unexpected(usage_error("a line here has more than 1 MiB", file_.path().string()));
    }
    seen = text_.size();
    CHUNKER_TRY_VOID(file_.wait_readable(stop_));
    ByteBuffer piece(kPieceBytes);
    CHUNKER_TRY(const std::size_t count, file_.read_some(piece.span()));
    text_.append(text_of(piece.view().first(count)));
    ended_ = count == 0;
  }
  if (text_.empty()) return std::nullopt;
  begin_ = text_.size();
  return std::string_view(text_);
}

std::string label_of(const std::string& input) {
  return input == kStandardInput ? "standard input" : input;
}

}  // namespace chunker::cli
