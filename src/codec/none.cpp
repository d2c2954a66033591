#include "codec/none.hpp"

#include "base/try.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

Result<void> NoneCodec::compress(Bytes input, CompressionScratch&, ByteBuffer& output) const {
  output.append(input);
  return {};
}

Result<void> NoneCodec::decompress(Bytes input, std::uint64_t output_bytes_max, CompressionScratch&,
                                   ByteBuffer& output) const {
  if (input.size() > output_bytes_max) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the bytes are more than the limit allows");
  }
  output.append(input);
  return {};
}

Result<CompressionCodec> make_none() { return CompressionCodec::of(NoneCodec{}); }

}  // namespace chunker::codec
