#pragma once

#include "codec/samples.hpp"

namespace chunker::test {

inline constexpr std::uint64_t kBombLimit = 8ULL << 20;

/// NFR-3.3: the frame is refused within 100 ms, and no more than the limit was ever reserved.
inline void expect_defused(const CompressionCodec& codec, Bytes frame, ErrorCode code) {
  CompressionScratch scratch;
  ByteBuffer output;
  const double begin_ms = cpu_ms();
  const auto refused = codec.decompress(frame, kBombLimit, scratch, output);
  EXPECT_LT(cpu_ms() - begin_ms, 100);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, code) << describe(refused.error());
  EXPECT_EQ(output.size(), 0U);
  EXPECT_LE(output.capacity(), kBombLimit);
}

}  // namespace chunker::test
