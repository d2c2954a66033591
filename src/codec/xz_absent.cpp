#include "base/try.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

Result<CompressionCodec> make_xz(int) {
  return base::fail(ErrorCode::codec_unavailable, "this build is without xz");
}

}  // namespace chunker::codec
