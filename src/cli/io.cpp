#include "cli/io.hpp"

#include <unistd.h>

#include "base/try.hpp"
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

Result<void> read_input(const std::string& input, const ByteSink& sink) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  const bool standard = input == "-";
  resource::File file;
  if (standard) {
    file = resource::File::adopt(STDIN_FILENO, label_of(input));
  } else {
    CHUNKER_TRY(file, resource::File::open_read(input));
  }
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

std::string label_of(const std::string& input) { return input == "-" ? "standard input" : input; }

}  // namespace chunker::cli
