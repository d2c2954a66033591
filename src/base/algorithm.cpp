#include "chunker/algorithm.hpp"

#include <algorithm>
#include <tuple>

#include "chunker/algorithm_use.hpp"

namespace chunker {

std::string_view name(AlgorithmKind kind) noexcept {
  switch (kind) {
    case AlgorithmKind::chunking:
      return "chunking";
    case AlgorithmKind::hash:
      return "hash";
    case AlgorithmKind::codec:
      return "codec";
  }
  return "unknown";
}

std::string AlgorithmInfo::key() const {
  return std::string(chunker::name(kind)).append(":").append(name);
}

std::string AlgorithmInfo::label() const {
  return std::string(chunker::name(kind)).append("=\"").append(name).append("\"");
}

void add_use(std::vector<AlgorithmUse>& uses, const AlgorithmUse& more) {
  const auto order = [](const AlgorithmUse& use) {
    return std::tie(use.algorithm.kind, use.algorithm.name);
  };
  const auto at = std::ranges::lower_bound(uses, order(more), {}, order);
  if (at == uses.end() || order(*at) != order(more)) {
    uses.insert(at, more);
    return;
  }
  at->count += more.count;
  at->bytes_in += more.bytes_in;
  at->bytes_out += more.bytes_out;
}

void add_uses(std::vector<AlgorithmUse>& uses, std::span<const AlgorithmUse> more) {
  for (const AlgorithmUse& use : more) add_use(uses, use);
}

}  // namespace chunker
