#pragma once

#include <cstddef>
#include <cstdint>

// What a scan kernel sees: plain data, no inline function, because a kernel is compiled for a processor that
// the rest of the program does not need.
namespace chunker::refs {

/// A store prefix, and the two places in it whose bytes are looked at first.
struct PrefixNeedle {
  const std::uint8_t* bytes;
  std::size_t size;  ///< At least 1.
  std::size_t rare;  ///< Where the byte lies that other data have least often.
  std::size_t next;  ///< Behind it; the same place in a prefix of one byte.
};

std::size_t find_prefix_portable(const PrefixNeedle& needle, const std::uint8_t* data,
                                 std::size_t size) noexcept;
/// Only on processors with AVX2.
std::size_t find_prefix_avx2(const PrefixNeedle& needle, const std::uint8_t* data,
                             std::size_t size) noexcept;

}  // namespace chunker::refs
