#include "chunker/algorithm.hpp"

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

}  // namespace chunker
