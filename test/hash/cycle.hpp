#pragma once

#include "chunker/bytes.hpp"

namespace chunker::test {

/// The input of BLAKE3's official vectors: byte i is i mod 251.
inline ByteBuffer cycle251(std::size_t size) {
  ByteBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes.data()[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

}  // namespace chunker::test
