#pragma once

#include <string_view>
#include <vector>

#include "chunker/algorithm.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "chunker/hash.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// All algorithms that a program has, ours and its own. Who shows, measures or compares algorithms walks through
/// list(), and so has every new one by itself (R21.5).
/// Owns:    its algorithms.
/// Threads: movable while it is built; const methods from any thread.
/// Errors:  invalid_argument for a second one of the same kind and name, unsupported for a name that is none.
/// Cost:    look-ups scan a handful of entries.
class AlgorithmRegistry {
 public:
  /// Has the built-in ones.
  AlgorithmRegistry();

  /// Adds one; the log tells of a deprecated one (R21.6).
  [[nodiscard]] Result<void> add(HashAlgorithm hash);
  [[nodiscard]] Result<void> add(CompressionCodec codec);

  [[nodiscard]] Result<HashAlgorithm> hash(std::string_view name) const;
  [[nodiscard]] const CodecRegistry& codecs() const noexcept { return codecs_; }
  /// Cutters, hashes and codecs, each in the order in which they were added.
  [[nodiscard]] std::vector<AlgorithmInfo> list() const;

 private:
  std::vector<HashAlgorithm> hashes_;
  CodecRegistry codecs_;
};

template <>
inline constexpr Threads threads_of<AlgorithmRegistry> = Threads::movable;
template <>
inline constexpr Threads threads_of<const AlgorithmRegistry> = Threads::shared;

}  // namespace chunker
