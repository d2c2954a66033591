#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"

namespace chunker::store {

/// Reads the fields of a format one after another and says where the first bad one lies. Counts are
/// compared with the bytes that are left before anybody allocates by them.
/// Owns:    nothing; borrows the bytes.
/// Threads: movable.
/// Errors:  store_corrupt with the offset of the field.
/// Cost:    a few ns per field.
class FieldReader {
 public:
  explicit FieldReader(Bytes bytes) noexcept : wire_(bytes) {}

  [[nodiscard]] std::size_t offset() const noexcept { return wire_.offset(); }
  [[nodiscard]] bool at_end() const noexcept { return wire_.at_end(); }

  [[nodiscard]] Result<std::uint64_t> varint(std::string_view fault) {
    const std::size_t begin = wire_.offset();
    const auto value = wire_.varint();
    if (!value) return base::fail(ErrorCode::store_corrupt, fault, begin);
    return *value;
  }

  /// A varint that is at most `max`, which is at most what T can hold.
  template <std::unsigned_integral T>
  [[nodiscard]] Result<T> varint_at_most(T max, std::string_view fault) {
    const std::size_t begin = wire_.offset();
    const auto value = wire_.varint();
    if (!value || *value > max) return base::fail(ErrorCode::store_corrupt, fault, begin);
    return static_cast<T>(*value);
  }

  /// A count of things that take at least `bytes_each` of the bytes that follow.
  [[nodiscard]] Result<std::size_t> count(std::size_t bytes_each, std::string_view fault) {
    const std::size_t begin = wire_.offset();
    const auto value = wire_.varint();
    if (!value || *value > wire_.rest().size() / bytes_each) {
      return base::fail(ErrorCode::store_corrupt, fault, begin);
    }
    return static_cast<std::size_t>(*value);
  }

  [[nodiscard]] Result<Bytes> bytes(std::uint64_t count, std::string_view fault) {
    const std::size_t begin = wire_.offset();
    const auto taken = wire_.bytes(count);
    if (!taken) return base::fail(ErrorCode::store_corrupt, fault, begin);
    return *taken;
  }

  [[nodiscard]] Result<Digest> digest(std::string_view fault) {
    CHUNKER_TRY(const Bytes from, bytes(Digest::kBytes, fault));
    Digest digest;
    std::memcpy(digest.bytes.data(), from.data(), Digest::kBytes);
    return digest;
  }

  /// Nothing may follow: a format has one spelling.
  [[nodiscard]] Result<void> end(std::string_view fault) const {
    if (!wire_.at_end()) return base::fail(ErrorCode::store_corrupt, fault, wire_.offset());
    return {};
  }

 private:
  base::WireReader wire_;
};

}  // namespace chunker::store
