#include "cache/content_fingerprint.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace chunker::cache {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kGapsMax = 63;

std::uint64_t mixed(std::uint64_t state, Bytes word) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, word.data(), word.size());
  state = (state ^ value) * 0x9E3779B97F4A7C15ULL;
  return state ^ (state >> 32);
}

}  // namespace

std::uint64_t content_fingerprint(Bytes bytes) noexcept {
  std::uint64_t state = bytes.size();
  if (bytes.empty()) return state;
  if (bytes.size() <= kWordBytes) return mixed(state, bytes);
  const std::size_t last = bytes.size() - kWordBytes;
  const std::size_t step = std::max(kWordBytes, (last + kGapsMax - 1) / kGapsMax);
  for (std::size_t at = 0; at < last; at += step) {
    state = mixed(state, bytes.subspan(at, kWordBytes));
  }
  return mixed(state, bytes.last(kWordBytes));
}

}  // namespace chunker::cache
