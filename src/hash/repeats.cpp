#include "hash/repeats.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

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
  // Sorted, not hashed: whoever makes the input could make all of them collide in a table.
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  order.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) order.emplace_back(fingerprint(inputs[i]), i);
  std::ranges::sort(order);
  std::vector<std::size_t> first(inputs.size());
  std::size_t known = 0;  // The first of those that agree in their fingerprint.
  for (std::size_t at = 0; at < order.size(); ++at) {
    const std::size_t i = order[at].second;
    if (order[at].first != order[known].first) known = at;
    const std::size_t before = order[known].second;
    first[i] = same(inputs[before], inputs[i]) ? before : i;
  }
  return first;
}

}  // namespace chunker::hash
