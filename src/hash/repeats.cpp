#include "hash/repeats.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <unordered_map>

namespace chunker::hash {
namespace {

std::uint64_t word_at(Bytes bytes, std::size_t offset) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, std::min(sizeof word, bytes.size() - offset));
  return word;
}

// Size, beginning, middle and end: enough to tell nearly all chunks apart. Whoever makes them agree gets one
// comparison per input, no more.
std::uint64_t fingerprint(Bytes bytes) noexcept {
  std::uint64_t mixed = bytes.size();
  if (bytes.empty()) return mixed;
  const std::size_t last = bytes.size() - std::min<std::size_t>(bytes.size(), sizeof mixed);
  for (const std::size_t offset : {std::size_t{0}, last / 2, last}) {
    mixed = (mixed ^ word_at(bytes, offset)) * 0x9E3779B97F4A7C15ULL;
    mixed ^= mixed >> 32;
  }
  return mixed;
}

bool same(Bytes a, Bytes b) noexcept {
  return a.size() == b.size() &&
         (a.empty() || a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

std::vector<std::size_t> first_occurrences(std::span<const Bytes> inputs) {
  std::vector<std::size_t> first(inputs.size());
  std::unordered_map<std::uint64_t, std::size_t> seen;
  seen.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto known = seen.try_emplace(fingerprint(inputs[i]), i).first;
    first[i] = same(inputs[known->second], inputs[i]) ? known->second : i;
  }
  return first;
}

}  // namespace chunker::hash
