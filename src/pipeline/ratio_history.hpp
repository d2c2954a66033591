#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "chunker/batch_compression.hpp"

namespace chunker::pipeline {

/// How far each codec compressed chunks of each size lately, so that outputs get buffers that fit (R7.4).
/// Owns:    a few numbers per codec and power of two.
/// Threads: shared.
/// Errors:  none.
/// Cost:    one short lock per call.
class RatioHistory {
 public:
  /// Room that most outputs of such a chunk fit into; 0 if there is no telling.
  [[nodiscard]] std::size_t expected_bytes(const AlgorithmInfo& algorithm, DictionaryId dictionary,
                                           std::size_t raw_bytes) const;
  void add(const AlgorithmInfo& algorithm, DictionaryId dictionary, std::size_t raw_bytes,
           std::size_t payload_bytes, bool regrown);
  [[nodiscard]] std::vector<CodecStats> stats() const;

 private:
  struct Ratio {
    double mean = 0;
    double deviation = 0;
  };
  using Key = std::pair<std::string, int>;  ///< Algorithm and dictionary; the bits of the size.

  mutable base::Mutex mutex_;
  std::map<Key, Ratio> ratios_ CHUNKER_GUARDED_BY(mutex_);
  std::map<std::string, CodecStats> stats_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace chunker::pipeline
