#pragma once

#include "chunker/codec.hpp"

// Each codec's file makes it, or its X_absent.cpp says codec_unavailable in a build without it. A level
// outside the codec's own scale is invalid_argument.
namespace chunker::codec {

inline constexpr int kZstdLevel = 3;
inline constexpr int kZstdLevelSmallest = 19;
inline constexpr int kZstdLevelMin = -7, kZstdLevelMax = 22;
inline constexpr int kLz4Level = 0;
inline constexpr int kXzLevel = 6;
inline constexpr int kBzip2Level = 9;

[[nodiscard]] Result<CompressionCodec> make_none();
[[nodiscard]] Result<CompressionCodec> make_zstd(int level);
[[nodiscard]] Result<CompressionCodec> make_zstd_x86(int level);
[[nodiscard]] Result<CompressionCodec> make_lz4(int level);
[[nodiscard]] Result<CompressionCodec> make_xz(int level);
[[nodiscard]] Result<CompressionCodec> make_bzip2(int level);

/// `codec` if its level lies within `least` and `most`.
template <Codec T>
[[nodiscard]] Result<CompressionCodec> make_within(T codec, int least, int most) {
  if (codec.level < least || codec.level > most) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "the codec has no such compression level", Error::kNoOffset,
                                 std::string(codec.name())});
  }
  return CompressionCodec::of(codec);
}

}  // namespace chunker::codec
