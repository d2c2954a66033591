#include "chunker/algorithm_registry.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "base/try.hpp"
#include "cut/algorithms.hpp"

namespace chunker {

AlgorithmRegistry::AlgorithmRegistry()
    : hashes_{HashAlgorithm::blake3(), HashAlgorithm::sha256()},
      codecs_(*CodecRegistry::builtin()) {}

Result<void> AlgorithmRegistry::add(HashAlgorithm hash) {
  if (std::ranges::find(hashes_, hash.name(), &HashAlgorithm::name) != hashes_.end()) {
    return base::fail(ErrorCode::invalid_argument, "another hash algorithm has this name",
                      Error::kNoOffset, std::string(hash.name()));
  }
  base::warn_if_deprecated(hash.info());
  hashes_.push_back(std::move(hash));
  return {};
}

Result<void> AlgorithmRegistry::add(CompressionCodec codec) {
  const AlgorithmInfo info = codec.info();
  CHUNKER_TRY_VOID(codecs_.add(std::move(codec)));
  base::warn_if_deprecated(info);
  return {};
}

Result<HashAlgorithm> AlgorithmRegistry::hash(std::string_view name) const {
  const auto found = std::ranges::find(hashes_, name, &HashAlgorithm::name);
  if (found != hashes_.end()) return *found;
  return base::fail(ErrorCode::unsupported, "no hash algorithm has this name", Error::kNoOffset,
                    std::string(name));
}

std::vector<AlgorithmInfo> AlgorithmRegistry::list() const {
  std::vector<AlgorithmInfo> all;
  for (const cut::Algorithm& cutter : cut::algorithms()) {
    all.push_back({AlgorithmKind::chunking, std::string(cutter.name), {}});
  }
  for (const HashAlgorithm& hash : hashes_) all.push_back(hash.info());
  for (const CompressionCodec& codec : codecs_.codecs()) all.push_back(codec.info());
  return all;
}

}  // namespace chunker
