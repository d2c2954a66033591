#pragma once

#include <cstring>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/codec.hpp"

namespace chunker::test {

/// A codec as a user would write one: frame := "TOY" { count byte } 0, runs of one byte each up to 255 long.
struct ToyCodec {
  CodecId number = CodecId{1024};
  std::string_view label = "toy";
  std::string_view signature = "TOY";

  [[nodiscard]] CodecId id() const noexcept { return number; }
  [[nodiscard]] std::string_view name() const noexcept { return label; }
  [[nodiscard]] Bytes magic_bytes() const noexcept { return bytes_of(signature); }

  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch&, ByteBuffer& output) const {
    output.append(magic_bytes());
    while (!input.empty()) {
      std::uint8_t run = 1;
      while (run < 255 && run < input.size() && input[run] == input[0]) ++run;
      base::append_le(output, run);
      output.append(input.first(1));
      input = input.subspan(run);
    }
    base::append_le(output, std::uint8_t{0});
    return {};
  }

  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch&, ByteBuffer& output) const {
    const std::size_t start = output.size();
    Result<void> decoded = decode(input, output_bytes_max, output);
    if (!decoded) output.resize(start);
    return decoded;
  }

 private:
  Result<void> decode(Bytes input, std::uint64_t bytes_left, ByteBuffer& output) const {
    base::WireReader reader(input);
    const auto corrupt = [&](std::size_t at) {
      return base::fail(ErrorCode::codec_corrupt, "not a toy frame", at);
    };
    const auto magic = reader.bytes(signature.size());
    if (!magic || text_of(*magic) != signature) return corrupt(0);
    while (true) {
      const auto run = reader.le<std::uint8_t>();
      if (!run) return corrupt(input.size());
      if (*run == 0) break;
      const auto value = reader.bytes(1);
      if (!value) return corrupt(input.size());
      if (*run > bytes_left) {
        return base::fail(ErrorCode::decompressed_too_large, "the toy frame holds too much");
      }
      bytes_left -= *run;
      output.resize(output.size() + *run);
      std::memset(output.data() + output.size() - *run, std::to_integer<int>((*value)[0]), *run);
    }
    if (!reader.at_end()) return corrupt(reader.offset());
    return {};
  }
};
static_assert(Codec<ToyCodec>);

}  // namespace chunker::test
