#pragma once

#include <random>

#include "base/wire.hpp"
#include "chunker/bytes.hpp"

namespace chunker::test {

/// Like x86 code as far as the filter can tell: calls of a few functions from everywhere, loads of a few
/// variables, and other instructions between them.
inline ByteBuffer machine_code(std::size_t size, unsigned seed = 1) {
  constexpr std::size_t kInstructionBytesMax = 7;
  std::mt19937_64 engine(seed);
  ByteBuffer code;
  const auto operand = [&](std::size_t target) {
    base::append_le(code, static_cast<std::uint32_t>(target - code.size() - 4));
  };
  while (code.size() + kInstructionBytesMax < size) {
    const std::size_t target = engine() % 300 * (size / 300);
    switch (engine() % 8) {
      case 0:
        base::append_le(code, std::uint8_t{0xE8});
        operand(target);
        break;
      case 1:
        code.append(bytes_of("\x48\x8D\x3D"));
        operand(target);
        break;
      default:
        code.append(bytes_of("\x48\x89\xC7\x31"));
        base::append_le(code, static_cast<std::uint8_t>(engine() % 64));
    }
  }
  code.append(bytes_of(std::string(size - code.size(), '\x90')));
  return code;
}

}  // namespace chunker::test
