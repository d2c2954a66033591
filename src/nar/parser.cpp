#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/nar.hpp"
#include "nar/entry_path.hpp"

// archive   := str("nix-archive-1") node
// node      := str("(") str("type") (regular | directory | symlink) str(")")
// regular   := str("regular") [str("executable") str("")] str("contents") str(bytes)
// directory := str("directory") {entry}
// entry     := str("entry") str("(") str("name") str(name) str("node") node str(")")
// symlink   := str("symlink") str("target") str(target)
// str(s)    := u64le(size of s) s zeros-up-to-a-multiple-of-8
//
// Names ascend strictly (bytewise) and are 1 to 255 bytes without '/' and NUL, not "." or "..".
// Targets are 1 to 4095 bytes without NUL. Paths are at most 4095 bytes. Nothing follows the ")" of
// the root.

namespace chunker {

Result<void> NarVisitor::on_entry(const NarEntry&, std::string_view) { return {}; }
Result<void> NarVisitor::on_contents(Bytes) { return {}; }
Result<void> NarVisitor::on_entry_end(const NarEntry&) { return {}; }

namespace {

using base::fail;
using nar::padded;

/// What the parser waits for.
enum class Step : std::uint8_t {
  magic,
  node_open,
  type_field,
  type_value,
  regular_field,  // "executable" or "contents"
  executable_value,
  contents_field,
  contents_size,
  contents,
  contents_padding,
  target_field,
  target_value,
  node_close,
  directory_field,  // "entry" or ")"
  entry_open,
  name_field,
  name_value,
  node_field,
  entry_close,
  done,
};

/// Whether the step stands between the entries of a directory, so that the directory is to blame.
constexpr bool between_entries(Step step) noexcept {
  return step == Step::directory_field || step == Step::entry_open || step == Step::name_field ||
         step == Step::name_value;
}

/// Judged as soon as the length is known: no more than one token of legal size is ever kept.
std::optional<nar::Flaw> flaw_of_length(Step step, std::uint64_t length) noexcept {
  constexpr std::size_t kKeywordBytesMax = std::string_view("executable").size();
  switch (step) {
    case Step::name_value:
      if (length >= 1 && length <= kNarNameBytesMax) return std::nullopt;
      return nar::Flaw{ErrorCode::nar_bad_name, "name is empty or longer than 255 bytes"};
    case Step::target_value:
      if (length >= 1 && length <= kNarTargetBytesMax) return std::nullopt;
      return nar::Flaw{ErrorCode::nar_bad_target,
                       "symlink target is empty or longer than 4095 bytes"};
    default:
      if (length <= kKeywordBytesMax) return std::nullopt;
      return nar::Flaw{ErrorCode::nar_unexpected_token, "no keyword is that long"};
  }
}

}  // namespace

struct NarParser::State {
  Result<void> feed(Bytes piece, NarVisitor& visitor);
  Result<void> finish();

  [[nodiscard]] std::uint64_t offset_bytes() const noexcept { return offset_; }
  [[nodiscard]] bool complete() const noexcept { return step_ == Step::done && !error_; }

 private:
  // One step each, which consumes from `rest` what it can. "Whether" is: the step is complete.
  Result<bool> step(Bytes& rest, NarVisitor& visitor);
  Result<bool> read_magic(Bytes& rest);
  Result<bool> read_string(Bytes& rest, NarVisitor& visitor);
  Result<bool> read_contents_size(Bytes& rest, NarVisitor& visitor);
  Result<bool> read_contents(Bytes& rest, NarVisitor& visitor);
  Result<bool> read_contents_padding(Bytes& rest);

  Result<void> on_string(std::string_view text, NarVisitor& visitor);
  Result<void> on_type(std::string_view type, NarVisitor& visitor);
  Result<void> on_regular_field(std::string_view field);
  Result<void> on_target(std::string_view target, NarVisitor& visitor);
  Result<void> on_directory_field(std::string_view field, NarVisitor& visitor);
  Result<void> on_name(std::string_view name);
  Result<void> end_node(NarVisitor& visitor);
  Result<void> expect(std::string_view text, std::string_view keyword, Step next,
                      std::string_view what);

  std::optional<Bytes> take(std::size_t count, Bytes& rest);
  Result<void> check_zeros(Bytes padding) const;
  void set_entry(NarEntryType type, std::uint64_t offset_bytes, std::uint64_t size_bytes);
  std::unexpected<Error> fault(ErrorCode code, std::string_view what, std::uint64_t at) const;

  Step step_ = Step::magic;
  std::uint64_t offset_ = 0;             // of the next byte of input
  std::uint64_t string_offset_ = 0;      // of the current string's length field
  std::optional<std::uint64_t> length_;  // of the current string, once read
  std::uint64_t node_offset_ = 0;        // of the current node
  std::uint64_t contents_left_ = 0;
  nar::EntryPath path_;
  NarEntry entry_;
  std::optional<Error> error_;
  std::size_t held_ = 0;  // bytes of the current field, gathered from earlier pieces
  std::array<std::byte, padded(kNarTargetBytesMax)> field_;
};

Result<void> NarParser::State::feed(Bytes piece, NarVisitor& visitor) {
  if (error_) return std::unexpected(*error_);
  for (;;) {
    const Result<bool> completed = step(piece, visitor);
    if (!completed) {
      error_ = completed.error();
      return std::unexpected(*error_);
    }
    if (!*completed) return {};
  }
}

Result<void> NarParser::State::finish() {
  if (!error_ && step_ != Step::done) {
    error_ = fault(ErrorCode::nar_truncated, "the input ends inside the archive", offset_).error();
  }
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<bool> NarParser::State::step(Bytes& rest, NarVisitor& visitor) {
  switch (step_) {
    case Step::magic:
      return read_magic(rest);
    case Step::contents_size:
      return read_contents_size(rest, visitor);
    case Step::contents:
      return read_contents(rest, visitor);
    case Step::contents_padding:
      return read_contents_padding(rest);
    case Step::done:
      if (rest.empty()) return false;
      return fault(ErrorCode::nar_trailing_bytes, "bytes follow the archive", offset_);
    default:
      return read_string(rest, visitor);
  }
}

// Byte by byte, so that what is no NAR is known at its first wrong byte.
Result<bool> NarParser::State::read_magic(Bytes& rest) {
  while (!rest.empty() && offset_ < kNarMagic.size()) {
    if (rest.front() != static_cast<std::byte>(kNarMagic[offset_])) {
      return fault(ErrorCode::nar_bad_magic, "this is not a NAR", offset_);
    }
    rest = rest.subspan(1);
    ++offset_;
  }
  if (offset_ < kNarMagic.size()) return false;
  step_ = Step::node_open;
  return true;
}

Result<bool> NarParser::State::read_string(Bytes& rest, NarVisitor& visitor) {
  if (!length_) {
    const auto field = take(sizeof(std::uint64_t), rest);
    if (!field) return false;
    string_offset_ = offset_ - field->size();
    length_ = base::load_le<std::uint64_t>(field->data());
    if (const auto flaw = flaw_of_length(step_, *length_)) {
      return fault(flaw->code, flaw->what, string_offset_);
    }
  }
  const auto body = take(static_cast<std::size_t>(padded(*length_)), rest);
  if (!body) return false;
  const Bytes text = body->first(static_cast<std::size_t>(*length_));
  length_.reset();
  CHUNKER_TRY_VOID(check_zeros(body->subspan(text.size())));
  CHUNKER_TRY_VOID(on_string(text_of(text), visitor));
  return true;
}

Result<void> NarParser::State::on_string(std::string_view text, NarVisitor& visitor) {
  switch (step_) {
    case Step::node_open:
      node_offset_ = string_offset_;
      return expect(text, "(", Step::type_field, "expected \"(\"");
    case Step::type_field:
      return expect(text, "type", Step::type_value, "expected \"type\"");
    case Step::type_value:
      return on_type(text, visitor);
    case Step::regular_field:
      return on_regular_field(text);
    case Step::executable_value:
      return expect(text, "", Step::contents_field, "\"executable\" must have no value");
    case Step::contents_field:
      return expect(text, "contents", Step::contents_size, "expected \"contents\"");
    case Step::target_field:
      return expect(text, "target", Step::target_value, "expected \"target\"");
    case Step::target_value:
      return on_target(text, visitor);
    case Step::directory_field:
      return on_directory_field(text, visitor);
    case Step::entry_open:
      return expect(text, "(", Step::name_field, "expected \"(\"");
    case Step::name_field:
      return expect(text, "name", Step::name_value, "expected \"name\"");
    case Step::name_value:
      return on_name(text);
    case Step::node_field:
      return expect(text, "node", Step::node_open, "expected \"node\"");
    case Step::entry_close:
      return expect(text, ")", Step::directory_field, "expected \")\"");
    default:  // node_close: the other steps read no string
      CHUNKER_TRY_VOID(expect(text, ")", step_, "expected \")\""));
      return end_node(visitor);
  }
}

Result<void> NarParser::State::on_type(std::string_view type, NarVisitor& visitor) {
  entry_.executable = false;
  if (type == "regular") {
    step_ = Step::regular_field;
    return {};
  }
  if (type == "symlink") {
    step_ = Step::target_field;
    return {};
  }
  CHUNKER_TRY_VOID(expect(type, "directory", Step::directory_field, "no such type of file"));
  set_entry(NarEntryType::directory, node_offset_, 0);
  path_.enter(node_offset_);
  return visitor.on_entry(entry_, {});
}

Result<void> NarParser::State::on_regular_field(std::string_view field) {
  if (field == "executable") {
    entry_.executable = true;
    step_ = Step::executable_value;
    return {};
  }
  return expect(field, "contents", Step::contents_size, "expected \"executable\" or \"contents\"");
}

Result<bool> NarParser::State::read_contents_size(Bytes& rest, NarVisitor& visitor) {
  const auto field = take(sizeof(std::uint64_t), rest);
  if (!field) return false;
  const auto size_bytes = base::load_le<std::uint64_t>(field->data());
  if (size_bytes > nar::contents_bytes_max(offset_)) {
    return fault(ErrorCode::nar_bad_length, "no archive can hold contents this long",
                 offset_ - field->size());
  }
  step_ = Step::contents;
  contents_left_ = size_bytes;
  set_entry(NarEntryType::regular, offset_, size_bytes);
  CHUNKER_TRY_VOID(visitor.on_entry(entry_, {}));
  return true;
}

Result<bool> NarParser::State::read_contents(Bytes& rest, NarVisitor& visitor) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(contents_left_, rest.size()));
  if (count > 0) {
    const Bytes piece = rest.first(count);
    rest = rest.subspan(count);
    offset_ += count;
    contents_left_ -= count;
    CHUNKER_TRY_VOID(visitor.on_contents(piece));
  }
  if (contents_left_ > 0) return false;
  step_ = Step::contents_padding;
  return true;
}

Result<bool> NarParser::State::read_contents_padding(Bytes& rest) {
  const auto padding = take(padded(entry_.size_bytes) - entry_.size_bytes, rest);
  if (!padding) return false;
  CHUNKER_TRY_VOID(check_zeros(*padding));
  step_ = Step::node_close;
  return true;
}

Result<void> NarParser::State::on_target(std::string_view target, NarVisitor& visitor) {
  const std::uint64_t at = string_offset_ + sizeof(std::uint64_t);
  if (const auto flaw = nar::flaw_of_target(target)) {
    return fault(flaw->code, flaw->what, at + flaw->at);
  }
  step_ = Step::node_close;
  set_entry(NarEntryType::symlink, at, target.size());
  return visitor.on_entry(entry_, target);
}

Result<void> NarParser::State::on_directory_field(std::string_view field, NarVisitor& visitor) {
  if (field == "entry") {
    step_ = Step::entry_open;
    return {};
  }
  CHUNKER_TRY_VOID(expect(field, ")", step_, "expected \"entry\" or \")\""));
  entry_.executable = false;
  const std::uint64_t begin = path_.leave();
  set_entry(NarEntryType::directory, begin, 0);
  return end_node(visitor);
}

Result<void> NarParser::State::on_name(std::string_view name) {
  if (const auto flaw = path_.move_to(name)) {
    return fault(flaw->code, flaw->what, string_offset_ + sizeof(std::uint64_t) + flaw->at);
  }
  step_ = Step::node_field;
  return {};
}

Result<void> NarParser::State::end_node(NarVisitor& visitor) {
  step_ = path_.inside() ? Step::entry_close : Step::done;
  if (entry_.type == NarEntryType::symlink) return {};
  return visitor.on_entry_end(entry_);
}

Result<void> NarParser::State::expect(std::string_view text, std::string_view keyword, Step next,
                                      std::string_view what) {
  if (text != keyword) return fault(ErrorCode::nar_unexpected_token, what, string_offset_);
  step_ = next;
  return {};
}

// The next `count` bytes in one view: straight from the piece if it holds all of them, else
// gathered over several pieces; nothing while some are missing.
std::optional<Bytes> NarParser::State::take(std::size_t count, Bytes& rest) {
  const std::size_t added = std::min(count - held_, rest.size());
  const Bytes piece = rest.first(added);
  rest = rest.subspan(added);
  offset_ += added;
  if (added == count) return piece;
  std::ranges::copy(piece, field_.begin() + static_cast<std::ptrdiff_t>(held_));
  held_ += added;
  if (held_ < count) return std::nullopt;
  held_ = 0;
  return Bytes(field_).first(count);
}

// `padding` was just taken, so it ends at offset_.
Result<void> NarParser::State::check_zeros(Bytes padding) const {
  const auto bad = std::ranges::find_if(padding, [](std::byte b) { return b != std::byte{0}; });
  if (bad == padding.end()) return {};
  return fault(ErrorCode::nar_bad_padding, "padding is not zero",
               offset_ - static_cast<std::uint64_t>(padding.end() - bad));
}

void NarParser::State::set_entry(NarEntryType type, std::uint64_t offset_bytes,
                                 std::uint64_t size_bytes) {
  entry_.path = path_.path();
  entry_.type = type;
  entry_.offset_bytes = offset_bytes;
  entry_.size_bytes = size_bytes;
}

std::unexpected<Error> NarParser::State::fault(ErrorCode code, std::string_view what,
                                               std::uint64_t at) const {
  const std::string_view culprit = between_entries(step_) ? path_.directory() : path_.path();
  return fail(code, what, at, std::string(culprit));
}

NarParser::NarParser() : state_(std::make_unique<State>()) {}
NarParser::NarParser(NarParser&&) noexcept = default;
NarParser& NarParser::operator=(NarParser&&) noexcept = default;
NarParser::~NarParser() = default;

Result<void> NarParser::feed(Bytes piece, NarVisitor& visitor) {
  return state_->feed(piece, visitor);
}
Result<void> NarParser::finish() { return state_->finish(); }
std::uint64_t NarParser::offset_bytes() const noexcept { return state_->offset_bytes(); }
bool NarParser::complete() const noexcept { return state_->complete(); }

}  // namespace chunker
