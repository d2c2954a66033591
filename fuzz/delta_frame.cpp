// Delta frames from hostile bytes, and of its own with some bytes changed: never more nor fewer bytes than asked
// for, nothing left behind after an error, and what was compressed comes back.
#include <cstdlib>

#include "codec/delta_frame.hpp"

using namespace chunker;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void decode(Bytes frame, Bytes base, std::size_t content_bytes) {
  static CompressionScratch scratch;
  ByteBuffer output(bytes_of("kept"));
  const auto decoded = codec::decompress_with_base(frame, base, content_bytes, scratch, output);
  require(output.size() == (decoded ? 4 + content_bytes : 4));
  require(text_of(output).starts_with("kept"));
}

void round_trip_then_change(Bytes content, Bytes base, Bytes changes) {
  static CompressionScratch scratch;
  ByteBuffer frame, back;
  require(codec::compress_with_base(content, base, 3, scratch, frame).has_value());
  require(codec::decompress_with_base(frame, base, content.size(), scratch, back).has_value());
  require(std::ranges::equal(back.view(), content));
  for (; changes.size() >= 2; changes = changes.subspan(2)) {
    frame.data()[std::to_integer<std::size_t>(changes[0]) % frame.size()] ^= changes[1];
  }
  decode(frame, base, content.size());
}

}  // namespace

// input := base size: 1 byte, content size: 2 bytes, base, then a frame; or a content and what to change.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const Bytes input = std::as_bytes(std::span(data, size)).subspan(3);
  const Bytes base = input.first(std::min<std::size_t>(data[0], input.size()));
  const Bytes rest = input.subspan(base.size());
  const std::size_t content_bytes = data[1] | std::size_t{data[2]} << 8;
  decode(rest, base, content_bytes);
  if (content_bytes <= rest.size()) {
    round_trip_then_change(rest.first(content_bytes), base, rest.subspan(content_bytes));
  }
  return 0;
}
