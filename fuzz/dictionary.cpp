// Hostile dictionaries, and hostile frames for a good one: refused or harmless, nothing left behind after an error,
// and what one dictionary compressed comes back, however the dictionary was bent.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "chunker/dictionary.hpp"

using namespace chunker;

namespace {

constexpr std::size_t kContentBytesMax = 1 << 16;

void require(bool holds) {
  if (!holds) std::abort();
}

ByteBuffer trained() {
  DictionarySamples samples;
  for (unsigned i = 0; i < 500; ++i) {
    samples.add(
        bytes_of("sample number " + std::to_string(i * 2654435761U) + " of a few hundred\n"));
  }
  return *train_dictionary(samples, 1024);
}

void change(ByteBuffer& bytes, Bytes changes) {
  for (; changes.size() >= 3 && !bytes.empty(); changes = changes.subspan(3)) {
    const auto at =
        std::to_integer<std::size_t>(changes[0]) | std::to_integer<std::size_t>(changes[1]) << 8;
    bytes.data()[at % bytes.size()] ^= changes[2];
  }
}

void decode(const DecoderDictionary& decoder, Bytes frame) {
  static CompressionScratch scratch;
  ByteBuffer output(bytes_of("kept"));
  const auto decoded = decoder.decompress(frame, kContentBytesMax, scratch, output);
  require(decoded ? output.size() <= 4 + kContentBytesMax : output.size() == 4);
  require(text_of(output).starts_with("kept"));
}

void round_trip(const EncoderDictionary& encoder, const DecoderDictionary& decoder, Bytes content,
                Bytes changes) {
  static CompressionScratch scratch;
  ByteBuffer frame, back;
  if (!encoder.compress(content, scratch, frame)) return;
  require(dictionary_id_of_frame(frame) == encoder.id());
  require(decoder.decompress(frame, content.size(), scratch, back).has_value());
  require(std::ranges::equal(back.view(), content));
  change(frame, changes);
  decode(decoder, frame);
}

}  // namespace

// input := size of changes: 1 byte; changes of the dictionary; then a frame, or a content and changes of its frame.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ByteBuffer good = trained();
  if (size == 0) return 0;
  const Bytes input = std::as_bytes(std::span(data, size)).subspan(1);
  const Bytes changes = input.first(std::min<std::size_t>(data[0], input.size()));
  const Bytes rest = input.subspan(changes.size());
  ByteBuffer dictionary(good.view());
  change(dictionary, changes);
  const auto decoder = DecoderDictionary::make(dictionary);
  const auto encoder = EncoderDictionary::make(dictionary);
  if (!decoder) return 0;
  decode(*decoder, rest);
  if (encoder && rest.size() <= kContentBytesMax) round_trip(*encoder, *decoder, rest, changes);
  return 0;
}
