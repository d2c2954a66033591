#pragma once

#include <cstring>

#include "base/try.hpp"
#include "chunker/codec.hpp"

namespace chunker::test {

/// A codec as a user would write one: frame := "TOY" { count byte } 0, runs of one byte each up to 255 long. Plain
/// loops over one buffer: strategies time codecs, so it must be no snail, even where every line is counted.
struct ToyCodec {
  CodecId number = CodecId{1024};
  std::string_view label = "toy";
  std::string_view signature = "TOY";

  [[nodiscard]] CodecId id() const noexcept { return number; }
  [[nodiscard]] std::string_view name() const noexcept { return label; }
  [[nodiscard]] Bytes magic_bytes() const noexcept { return bytes_of(signature); }

  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch&, ByteBuffer& output) const {
    const std::size_t start = output.size();
    output.resize(start + signature.size() + 2 * input.size() + 1);
    std::memcpy(output.data() + start, signature.data(), signature.size());
    std::byte* to = output.data() + start + signature.size();
    const std::byte* const end = input.data() + input.size();
    for (const std::byte* at = input.data(); at != end;) {
      const std::byte* const run = at;
      while (at != end && *at == *run && at - run < 255) ++at;
      *to++ = static_cast<std::byte>(at - run);
      *to++ = *run;
    }
    *to++ = std::byte{0};
    output.resize(static_cast<std::size_t>(to - output.data()));
    return {};
  }

  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch&, ByteBuffer& output) const {
    const auto corrupt = [](std::size_t at) {
      return base::fail(ErrorCode::codec_corrupt, "not a toy frame", at);
    };
    if (!text_of(input).starts_with(signature)) return corrupt(0);
    const Bytes runs = input.subspan(signature.size());
    std::size_t run_count = 0;
    std::uint64_t bytes = 0;
    while (true) {
      if (2 * run_count >= runs.size()) return corrupt(input.size());
      const auto run = std::to_integer<std::uint8_t>(runs[2 * run_count]);
      if (run == 0) break;
      if (2 * run_count + 1 == runs.size()) return corrupt(input.size());
      bytes += run;
      ++run_count;
    }
    if (2 * run_count + 1 != runs.size()) return corrupt(signature.size() + 2 * run_count + 1);
    if (bytes > output_bytes_max) {
      return base::fail(ErrorCode::decompressed_too_large, "the toy frame holds too much");
    }
    const std::size_t start = output.size();
    output.resize(start + static_cast<std::size_t>(bytes));
    std::byte* to = output.data() + start;
    for (const std::byte* at = runs.data(); run_count != 0; --run_count, at += 2) {
      const auto run = std::to_integer<std::size_t>(at[0]);
      std::memset(to, std::to_integer<int>(at[1]), run);
      to += run;
    }
    return {};
  }
};
static_assert(Codec<ToyCodec>);

}  // namespace chunker::test
