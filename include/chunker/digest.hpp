#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// 32 bytes that name what they were computed from: a chunk, a NAR, a part of a manifest.
/// Owns:    its bytes.
/// Threads: shared (a plain value).
/// Errors:  none.
/// Cost:    32 bytes, no allocation.
struct Digest {
  static constexpr std::size_t kBytes = 32;

  std::array<std::byte, kBytes> bytes{};

  [[nodiscard]] Bytes view() const noexcept { return bytes; }
  /// 64 lower-case hexadecimal characters.
  [[nodiscard]] std::string hex() const;
  /// Reads 64 hexadecimal characters; nothing if `text` is not that.
  [[nodiscard]] static std::optional<Digest> from_hex(std::string_view text) noexcept;

  friend auto operator<=>(const Digest&, const Digest&) = default;
};

template <>
inline constexpr Threads threads_of<Digest> = Threads::shared;

}  // namespace chunker

/// A digest is uniformly distributed, so any eight of its bytes are a hash already.
template <>
struct std::hash<chunker::Digest> {
  std::size_t operator()(const chunker::Digest& digest) const noexcept {
    std::size_t value;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
