#include "base/try.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

Result<CompressionCodec> make_lz4(int) {
  return base::fail(ErrorCode::codec_unavailable, "this build is without lz4");
}

}  // namespace chunker::codec
