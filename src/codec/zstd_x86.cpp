#include "codec/zstd_x86.hpp"

#include <algorithm>

#include "base/try.hpp"
#include "codec/context.hpp"
#include "codec/magic.hpp"
#include "codec/x86_filter.hpp"
#include "codec/zstd.hpp"

namespace chunker::codec {
namespace {

constexpr std::size_t kPrefixBytes = 1;
constexpr auto kMagic = magic(0xE8, 0x28, 0xB5, 0x2F, 0xFD);  // The prefix, and zstd's own.

// Frames are about 1 MiB; what a larger one needed is not kept.
constexpr std::size_t kKeptBytesMax = std::size_t{4} << 20;

}  // namespace

Bytes ZstdX86Codec::magic_bytes() const noexcept { return kMagic; }

Result<void> ZstdX86Codec::compress(Bytes input, CompressionScratch& scratch,
                                    ByteBuffer& output) const {
  CHUNKER_TRY_VOID(compress_until(input, scratch, output, {}));
  return {};
}

Result<bool> ZstdX86Codec::compress_until(Bytes input, CompressionScratch& scratch,
                                          ByteBuffer& output, const ShouldStop& should_stop) const {
  auto& filtered = kept_context<ByteBuffer>(scratch, id(), true);
  filtered.clear();
  filtered.append(input);
  x86_to_absolute(filtered.span());
  const std::size_t start = output.size();
  output.append(Bytes(kMagic).first(kPrefixBytes));
  const auto compressed = ZstdCodec{level}.compress_until(filtered, scratch, output, should_stop);
  if (!compressed || !*compressed) output.resize(start);
  if (filtered.capacity() > kKeptBytesMax) scratch.slot(id(), true).reset();
  return compressed;
}

Result<void> ZstdX86Codec::decompress(Bytes input, std::uint64_t output_bytes_max,
                                      CompressionScratch& scratch, ByteBuffer& output) const {
  if (!begins_with(input, kMagic)) {
    return base::fail(ErrorCode::codec_corrupt, "the magic number of zstd_x86 is missing", 0);
  }
  const std::size_t start = output.size();
  auto decoded =
      ZstdCodec{}.decompress(input.subspan(kPrefixBytes), output_bytes_max, scratch, output);
  if (decoded) {
    x86_to_relative(output.span().subspan(start));
  } else if (decoded.error().offset_bytes != Error::kNoOffset) {
    decoded.error().offset_bytes += kPrefixBytes;
  }
  return decoded;
}

std::size_t ZstdX86Codec::context_bytes(std::size_t input_bytes_max) const noexcept {
  return ZstdCodec{level}.context_bytes(input_bytes_max) + std::min(input_bytes_max, kKeptBytesMax);
}

Result<CompressionCodec> make_zstd_x86(int level) {
  return make_within(ZstdX86Codec{level}, kZstdLevelMin, kZstdLevelMax);
}

}  // namespace chunker::codec
