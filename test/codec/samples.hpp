#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>

#include "chunker/codec.hpp"

namespace chunker::test {

inline ByteBuffer zeros(std::size_t size) {
  ByteBuffer bytes(size);
  std::ranges::fill(bytes.span(), std::byte{0});
  return bytes;
}

inline ByteBuffer random_bytes(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 engine(seed);
  ByteBuffer bytes(size);
  for (std::byte& b : bytes.span()) b = static_cast<std::byte>(engine());
  return bytes;
}

/// Compresses about as well as program code: words of a small vocabulary.
inline ByteBuffer words(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 engine(seed);
  ByteBuffer bytes;
  bytes.reserve(size + 16);
  while (bytes.size() < size) {
    bytes.append(bytes_of("word" + std::to_string(engine() % 5000) + " "));
  }
  bytes.resize(size);
  return bytes;
}

inline ByteBuffer compressed(const CompressionCodec& codec, Bytes input) {
  CompressionScratch scratch;
  ByteBuffer output;
  EXPECT_TRUE(codec.compress(input, scratch, output));
  return output;
}

inline Result<ByteBuffer> decompressed(const CompressionCodec& codec, Bytes input,
                                       std::uint64_t output_bytes_max = kDecompressedBytesMax) {
  CompressionScratch scratch;
  ByteBuffer output;
  const Result<void> decoded = codec.decompress(input, output_bytes_max, scratch, output);
  if (!decoded) {
    EXPECT_TRUE(output.empty()) << "an error must leave the output as it was";
    return std::unexpected(decoded.error());
  }
  return output;
}

inline bool same(Bytes a, Bytes b) { return std::ranges::equal(a, b); }

/// How long this thread computed, whatever else the machine does.
inline double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace chunker::test
