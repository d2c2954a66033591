#include "refs/prefix_scan.hpp"

#include <cstring>

namespace chunker::refs {

std::size_t find_prefix_portable(const PrefixNeedle& needle, const std::uint8_t* data,
                                 std::size_t size) noexcept {
  for (std::size_t at = 0; size - at >= needle.size; ++at) {
    const void* found = std::memchr(data + at + needle.rare, needle.bytes[needle.rare],
                                    size - at - needle.size + 1);
    if (found == nullptr) return size;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data) - needle.rare;
    if (std::memcmp(data + at, needle.bytes, needle.size) == 0) return at;
  }
  return size;
}

PrefixScan choose_prefix_scan([[maybe_unused]] const base::CpuFeatures& cpu) noexcept {
#if defined(__x86_64__)
  if (cpu.avx2) return find_prefix_avx2;
#endif
  return find_prefix_portable;
}

}  // namespace chunker::refs
