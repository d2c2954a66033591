// Every codec on hostile bytes, and on frames of its own with some bytes changed, since random bytes rarely
// get past a header. Nothing may crash, come out beyond the limit, or stay behind after an error.
#include <cstdlib>

#include "chunker/codec.hpp"

using namespace chunker;

namespace {

constexpr std::uint64_t kLimit = 16ULL << 20;
constexpr std::size_t kMutationBytes = 4;

void require(bool holds) {
  if (!holds) std::abort();
}

void decode(const CompressionCodec& codec, Bytes frame, std::uint64_t limit) {
  static CompressionScratch scratch;
  ByteBuffer output(bytes_of("kept"));
  const auto decoded = codec.decompress(frame, limit, scratch, output);
  require(output.size() <= limit + 4);
  require(output.capacity() <= kLimit + 4096);
  require(decoded || output.size() == 4);
  require(text_of(output).starts_with("kept"));
}

// changes := at most four times (position: 2 bytes, value: 1 byte, kind: 1 byte).
void change(ByteBuffer& frame, Bytes changes) {
  for (int i = 0; i < 4 && changes.size() >= kMutationBytes && !frame.empty(); ++i) {
    const std::size_t at =
        (std::to_integer<std::size_t>(changes[0]) << 8 | std::to_integer<std::size_t>(changes[1])) %
        frame.size();
    if (std::to_integer<int>(changes[3]) == 0) {
      frame.resize(at);
    } else {
      frame.data()[at] = changes[2];
    }
    changes = changes.subspan(kMutationBytes);
  }
}

void decode_changed(const CompressionCodec& codec, Bytes input) {
  static CompressionScratch scratch;
  const Bytes changes = input.first(std::min<std::size_t>(input.size(), 4 * kMutationBytes));
  const Bytes contents = input.subspan(changes.size());
  ByteBuffer frame;
  require(codec.compress(contents, scratch, frame).has_value());
  ByteBuffer back;
  require(codec.decompress(frame, contents.size(), scratch, back).has_value());
  require(std::ranges::equal(back.view(), contents));
  change(frame, changes);
  decode(codec, frame, kLimit);
  decode(codec, frame, contents.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto registry = CodecRegistry::builtin();
  const Bytes input = std::as_bytes(std::span(data, size));
  if (const auto codec = registry->detect(input)) decode(*codec, input, kLimit);
  if (input.size() < 2) return 0;
  const auto codecs = registry->codecs();
  const CompressionCodec& codec = codecs[data[0] % codecs.size()];
  if (data[1] % 2 == 0) {
    decode(codec, input.subspan(2), kLimit);
  } else {
    decode_changed(codec, input.subspan(2));
  }
  return 0;
}
