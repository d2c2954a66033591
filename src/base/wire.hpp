#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>

#include "chunker/bytes.hpp"

// Little-endian integers and LEB128 varints: what every format of ours is made of (doc/format/).
namespace chunker::base {

template <std::unsigned_integral T>
[[nodiscard]] T load_le(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}

template <std::unsigned_integral T>
void store_le(T value, std::byte* to) noexcept {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}

template <std::unsigned_integral T>
void append_le(ByteBuffer& to, T value) {
  to.resize(to.size() + sizeof value);
  store_le(value, to.data() + to.size() - sizeof value);
}

/// Seven bits a byte, low bits first, the top bit says that more follow; at most ten bytes.
inline void append_varint(ByteBuffer& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) append_le(to, static_cast<std::uint8_t>(value | 0x80));
  append_le(to, static_cast<std::uint8_t>(value));
}

/// Reads a format from the front. After the first shortage every read gives nothing, so a caller may
/// check once per structure.
class WireReader {
 public:
  explicit WireReader(Bytes bytes) noexcept : rest_(bytes), size_(bytes.size()) {}

  [[nodiscard]] Bytes rest() const noexcept { return rest_; }
  [[nodiscard]] std::size_t offset() const noexcept { return size_ - rest_.size(); }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  [[nodiscard]] std::optional<Bytes> bytes(std::uint64_t count) noexcept {
    if (count > rest_.size()) return std::nullopt;
    const Bytes taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(static_cast<std::size_t>(count));
    return taken;
  }

  template <std::unsigned_integral T>
  [[nodiscard]] std::optional<T> le() noexcept {
    const auto taken = bytes(sizeof(T));
    if (!taken) return std::nullopt;
    return load_le<T>(taken->data());
  }

  /// Only the shortest spelling of a value is accepted, so that a format has one reading.
  [[nodiscard]] std::optional<std::uint64_t> varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = le<std::uint8_t>();
      if (!byte) return std::nullopt;
      const std::uint64_t bits = *byte & 0x7FU;
      if (shift == 63 && bits > 1) return std::nullopt;
      value |= bits << shift;
      if ((*byte & 0x80U) == 0) {
        if (bits == 0 && shift != 0) return std::nullopt;
        return value;
      }
    }
    return std::nullopt;
  }

 private:
  Bytes rest_;
  std::size_t size_;
};

}  // namespace chunker::base
