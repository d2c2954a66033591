#include "base/try.hpp"
#include "codec/builtin.hpp"

namespace chunker::codec {

Result<CompressionCodec> make_bzip2(int) {
  return base::fail(ErrorCode::codec_unavailable, "this build is without bzip2");
}

}  // namespace chunker::codec
