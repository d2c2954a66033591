#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "chunker/nar.hpp"
#include "chunker/nar_listing.hpp"

// However an archive is split, NarParser must report the same events and the same error; and what
// it accepts, NarWriter must reproduce byte for byte.

namespace {

using namespace chunker;

/// Writes events down as one text, and as a listing.
class Recorder final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view target) override {
    log("entry", entry).append(target);
    return listing.on_entry(entry, target);
  }
  Result<void> on_contents(Bytes piece) override {
    CHUNKER_CHECK(!piece.empty());
    events.append(text_of(piece));
    return {};
  }
  Result<void> on_entry_end(const NarEntry& entry) override {
    log("end", entry);
    return listing.on_entry_end(entry);
  }

  std::string events;
  NarListing listing;

 private:
  std::string& log(std::string_view what, const NarEntry& entry) {
    events.append("\n").append(what).append(" ").append(entry.path);
    events.push_back(static_cast<char>('0' + static_cast<int>(entry.type)));
    events.push_back(entry.executable ? 'x' : '-');
    events.append(std::to_string(entry.offset_bytes)).append("+");
    return events.append(std::to_string(entry.size_bytes)).append("\n");
  }
};

struct Outcome {
  std::string events;
  std::string listing;
  Result<void> result;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// `piece_bytes()` says how long the next piece is.
template <class PieceBytes>
Outcome parse(Bytes archive, PieceBytes piece_bytes) {
  Recorder recorder;
  NarParser parser;
  Result<void> result;
  while (result && !archive.empty()) {
    const std::size_t size = std::min<std::size_t>(piece_bytes(), archive.size());
    const std::vector<std::byte> piece(archive.begin(),
                                       archive.begin() + static_cast<std::ptrdiff_t>(size));
    result = parser.feed(piece, recorder);
    archive = archive.subspan(size);
  }
  if (result) result = parser.finish();
  CHUNKER_CHECK(parser.complete() == result.has_value());
  CHUNKER_CHECK(parser.finish() == result);
  return {recorder.events, recorder.listing.take(), result};
}

/// Writes again what a parser sees.
class Rewriter final : public NarVisitor {
 public:
  Result<void> on_entry(const NarEntry& entry, std::string_view target) override {
    const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
    switch (entry.type) {
      case NarEntryType::directory:
        return nar.begin_directory(name);
      case NarEntryType::symlink:
        return nar.add_symlink(name, target);
      case NarEntryType::regular:
        return nar.begin_file(name, {entry.executable, entry.size_bytes});
    }
    return {};
  }
  Result<void> on_contents(Bytes piece) override { return nar.contents(piece); }
  Result<void> on_entry_end(const NarEntry& entry) override {
    return entry.type == NarEntryType::directory ? nar.end_directory() : Result<void>{};
  }

  std::string bytes;
  NarWriter nar{[this](Bytes piece) -> Result<void> {
    bytes.append(text_of(piece));
    return {};
  }};
};

void check_rewritten(Bytes archive) {
  Rewriter rewriter;
  NarParser parser;
  CHUNKER_CHECK(parser.feed(archive, rewriter).has_value());
  CHUNKER_CHECK(rewriter.nar.finish().has_value());
  CHUNKER_CHECK(rewriter.bytes == text_of(archive));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes archive = std::as_bytes(std::span(data, size));
  std::uint32_t state = 0;  // The input itself says how it is split.
  for (const std::byte byte : archive) state = state * 31 + std::to_integer<std::uint32_t>(byte);
  const Outcome whole = parse(archive, [&] { return size; });
  const Outcome split = parse(archive, [&] {
    state = state * 1664525U + 1013904223U;
    return 1 + (state >> 24) % 40;
  });
  const Outcome bytewise = parse(archive, [] { return 1; });
  CHUNKER_CHECK(whole == split);
  CHUNKER_CHECK(whole == bytewise);
  if (whole.result) check_rewritten(archive);
  return 0;
}
