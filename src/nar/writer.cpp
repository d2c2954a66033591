#include <optional>
#include <utility>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/nar.hpp"
#include "nar/entry_path.hpp"

namespace chunker {
namespace {

/// Tokens and small files are gathered to this size: a sink call for every few bytes is dear.
constexpr std::size_t kPendingBytesMax = 64 << 10;

/// Larger pieces of contents cost less in a call of their own than in a copy.
constexpr std::size_t kCopiedBytesMax = 8 << 10;

}  // namespace

struct NarWriter::State {
  explicit State(ByteSink to) : sink(std::move(to)) {}

  Result<void> begin_directory(std::string_view name);
  Result<void> end_directory();
  Result<void> add_symlink(std::string_view name, std::string_view target);
  Result<void> begin_file(std::string_view name, File file);
  Result<void> contents(Bytes piece);
  Result<void> finish();
  /// Makes one of the calls above, unless an earlier one failed.
  template <class Call>
  Result<void> guarded(Call call);

  Result<void> begin_entry(std::string_view name, std::string_view type);
  void end_entry();
  void end_file();
  void put(std::string_view text);
  void put_size(std::uint64_t size_bytes);
  void put_padding(std::uint64_t size_bytes);
  Result<void> flush();
  [[nodiscard]] std::unexpected<Error> fault(ErrorCode code, std::string_view what) const;

  ByteSink sink;
  ByteBuffer pending;
  std::uint64_t offset_bytes = 0;
  nar::EntryPath path;
  bool begun = false;
  bool in_file = false;
  std::uint64_t file_bytes = 0;
  std::uint64_t file_bytes_left = 0;
  std::optional<Error> error;
};

template <class Call>
Result<void> NarWriter::State::guarded(Call call) {
  if (error) return std::unexpected(*error);
  Result<void> done = call();
  if (done && pending.size() >= kPendingBytesMax) done = flush();
  if (!done) error = done.error();
  return done;
}

Result<void> NarWriter::State::begin_entry(std::string_view name, std::string_view type) {
  if (in_file) return fault(ErrorCode::invalid_argument, "the file before lacks contents");
  if (path.inside()) {
    if (const auto flaw = path.move_to(name)) return fault(flaw->code, flaw->what);
    for (const std::string_view token : {"entry", "(", "name"}) put(token);
    put(name);
    put("node");
  } else {
    if (begun) return fault(ErrorCode::invalid_argument, "the archive is complete already");
    if (!name.empty()) return fault(ErrorCode::invalid_argument, "the root has no name");
    put("nix-archive-1");
    begun = true;
  }
  for (const std::string_view token : {std::string_view("("), std::string_view("type"), type}) {
    put(token);
  }
  return {};
}

void NarWriter::State::end_entry() {
  put(")");
  if (path.inside()) put(")");
}

Result<void> NarWriter::State::begin_directory(std::string_view name) {
  CHUNKER_TRY_VOID(begin_entry(name, "directory"));
  path.enter(offset_bytes);
  return {};
}

Result<void> NarWriter::State::end_directory() {
  if (in_file) return fault(ErrorCode::invalid_argument, "the file before lacks contents");
  if (!path.inside()) return fault(ErrorCode::invalid_argument, "no directory is open");
  path.leave();
  end_entry();
  return {};
}

Result<void> NarWriter::State::add_symlink(std::string_view name, std::string_view target) {
  CHUNKER_TRY_VOID(begin_entry(name, "symlink"));
  if (const auto flaw = nar::flaw_of_target(target)) return fault(flaw->code, flaw->what);
  put("target");
  put(target);
  end_entry();
  return {};
}

Result<void> NarWriter::State::begin_file(std::string_view name, File file) {
  CHUNKER_TRY_VOID(begin_entry(name, "regular"));
  if (file.size_bytes > nar::contents_bytes_max(offset_bytes)) {
    return fault(ErrorCode::nar_bad_length, "no archive can hold contents this long");
  }
  if (file.executable) {
    put("executable");
    put("");
  }
  put("contents");
  put_size(file.size_bytes);
  in_file = true;
  file_bytes = file_bytes_left = file.size_bytes;
  if (file_bytes == 0) end_file();
  return {};
}

void NarWriter::State::end_file() {
  put_padding(file_bytes);
  end_entry();
  in_file = false;
}

Result<void> NarWriter::State::contents(Bytes piece) {
  if (piece.empty()) return {};
  if (!in_file || piece.size() > file_bytes_left) {
    return fault(ErrorCode::invalid_argument, "more contents than the file's size");
  }
  if (piece.size() > kCopiedBytesMax) {
    CHUNKER_TRY_VOID(flush());
    CHUNKER_TRY_VOID(sink(piece));
  } else {
    pending.append(piece);
  }
  offset_bytes += piece.size();
  file_bytes_left -= piece.size();
  if (file_bytes_left == 0) end_file();
  return {};
}

Result<void> NarWriter::State::finish() {
  if (!begun || in_file || path.inside()) {
    return fault(ErrorCode::invalid_argument, "the archive is not complete");
  }
  return flush();
}

void NarWriter::State::put(std::string_view text) {
  put_size(text.size());
  pending.append(bytes_of(text));
  offset_bytes += text.size();
  put_padding(text.size());
}

void NarWriter::State::put_size(std::uint64_t size_bytes) {
  base::append_le(pending, size_bytes);
  offset_bytes += sizeof size_bytes;
}

void NarWriter::State::put_padding(std::uint64_t size_bytes) {
  const std::uint64_t count = nar::padded(size_bytes) - size_bytes;
  for (std::uint64_t i = 0; i < count; ++i) base::append_le(pending, std::uint8_t{0});
  offset_bytes += count;
}

Result<void> NarWriter::State::flush() {
  if (pending.empty()) return {};
  CHUNKER_TRY_VOID(sink(pending));
  pending.clear();
  return {};
}

std::unexpected<Error> NarWriter::State::fault(ErrorCode code, std::string_view what) const {
  return base::fail(code, what, Error::kNoOffset, path.path());
}

NarWriter::NarWriter(ByteSink sink) : state_(std::make_unique<State>(std::move(sink))) {}
NarWriter::NarWriter(NarWriter&&) noexcept = default;
NarWriter& NarWriter::operator=(NarWriter&&) noexcept = default;
NarWriter::~NarWriter() = default;

Result<void> NarWriter::begin_directory(std::string_view name) {
  return state_->guarded([&] { return state_->begin_directory(name); });
}
Result<void> NarWriter::end_directory() {
  return state_->guarded([&] { return state_->end_directory(); });
}
Result<void> NarWriter::add_symlink(std::string_view name, std::string_view target) {
  return state_->guarded([&] { return state_->add_symlink(name, target); });
}
Result<void> NarWriter::begin_file(std::string_view name, File file) {
  return state_->guarded([&] { return state_->begin_file(name, file); });
}
Result<void> NarWriter::contents(Bytes piece) {
  return state_->guarded([&] { return state_->contents(piece); });
}
Result<void> NarWriter::finish() {
  return state_->guarded([&] { return state_->finish(); });
}
std::uint64_t NarWriter::offset_bytes() const noexcept { return state_->offset_bytes; }

}  // namespace chunker
