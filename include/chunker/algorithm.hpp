#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "chunker/threads.hpp"

namespace chunker {

/// What an algorithm does for us.
enum class AlgorithmKind : std::uint8_t { chunking, hash, codec };

/// The enumerator's spelling. Static.
[[nodiscard]] std::string_view name(AlgorithmKind kind) noexcept;

/// How an algorithm is called wherever it shows up. Caches, metrics, traces, logs and benchmarks take its names
/// from here and from nowhere else, so that one that is registered is in all of them at once (R21.5).
/// Owns:    its names.
/// Threads: shared (a plain value).
/// Errors:  none.
/// Cost:    two short strings.
struct AlgorithmInfo {
  AlgorithmKind kind;
  std::string name;        ///< "blake3", "zstd", a user's own.
  std::string deprecated;  ///< What to use instead; empty if it is not deprecated.

  /// "codec:zstd": what caches and histories keep its entries under.
  [[nodiscard]] std::string key() const;
  /// `codec="zstd"`: the label of its metrics and the attribute of its spans.
  [[nodiscard]] std::string label() const;

  friend bool operator==(const AlgorithmInfo&, const AlgorithmInfo&) = default;
};

template <>
inline constexpr Threads threads_of<AlgorithmInfo> = Threads::shared;

/// An algorithm of a user's or of ours that should not be used any more says so with one member (R21.6):
///   static constexpr std::string_view deprecated = "use zstd instead";
/// Whoever makes a CompressionCodec or a HashAlgorithm of it is then warned by the compiler, and once by the
/// log when it is used (chunker/log.hpp).
template <class T>
concept DeprecatedAlgorithm = requires {
  { T::deprecated } -> std::convertible_to<std::string_view>;
};

}  // namespace chunker
