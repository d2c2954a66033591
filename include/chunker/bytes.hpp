#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "chunker/threads.hpp"

namespace chunker {

/// Borrowed bytes: valid during the call they are passed to, or until the documented next call.
using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// Borrows the characters of `text` as bytes.
[[nodiscard]] inline Bytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Borrows `bytes` as characters.
[[nodiscard]] inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Owned bytes that grow without being zeroed first, because most are overwritten at once.
/// Owns:    its memory.
/// Threads: movable.
/// Errors:  throws std::bad_alloc when memory is exhausted; nothing else.
/// Cost:    24 bytes; growth at least doubles, so appending is amortized constant per byte.
class ByteBuffer {
 public:
  ByteBuffer() noexcept = default;
  explicit ByteBuffer(std::size_t size) { resize(size); }
  explicit ByteBuffer(Bytes bytes) { append(bytes); }
  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  [[nodiscard]] std::byte* data() noexcept { return data_.get(); }
  [[nodiscard]] const std::byte* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] Bytes view() const noexcept { return {data_.get(), size_}; }
  [[nodiscard]] MutableBytes span() noexcept { return {data_.get(), size_}; }
  operator Bytes() const noexcept { return view(); }

  void clear() noexcept { size_ = 0; }

  /// Makes room for `capacity` bytes in all; the contents stay.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    auto grown = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size_ != 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }

  /// Sets the size; bytes beyond the old size are indeterminate until written.
  void resize(std::size_t size) {
    if (size > capacity_) reserve(std::max(size, capacity_ * 2));
    size_ = size;
  }

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    const std::size_t old = size_;
    resize(old + bytes.size());
    std::memcpy(data_.get() + old, bytes.data(), bytes.size());
  }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

template <>
inline constexpr Threads threads_of<ByteBuffer> = Threads::movable;

}  // namespace chunker
