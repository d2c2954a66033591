#pragma once

#include <random>
#include <string>

#include "chunker/bytes.hpp"

namespace chunker::test {

inline std::string random_bytes(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 engine(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

/// `text` over and over.
inline std::string repeated(std::string_view text, std::size_t size) {
  std::string all;
  while (all.size() < size) all += text;
  all.resize(size);
  return all;
}

}  // namespace chunker::test
