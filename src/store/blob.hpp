#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

namespace chunker::store {

inline constexpr std::size_t kBlobKeyCharactersMax = 200;

/// Keys are 1 to 200 characters of [a-z0-9./_-], parts separated by '/', no part empty, "." or "..", the
/// first one not "tmp". (No key may be a directory of another: a local store has files and directories.)
[[nodiscard]] bool is_key(std::string_view text) noexcept;
/// Errors: invalid_argument with the key as context.
[[nodiscard]] Result<void> check_key(std::string_view key);

/// A blob that is being written; nobody sees it before commit(). Dropping it without commit leaves
/// nothing that a reader could find.
/// Threads: movable.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  /// Errors: io_*; after an error only dropping it makes sense, and every call repeats the error.
  [[nodiscard]] virtual Result<void> append(Bytes bytes) = 0;
  /// Durable under `key` when this returns; an existing blob of that key is replaced as a whole. The last
  /// call: further ones are refused with invalid_argument.
  [[nodiscard]] virtual Result<void> commit(std::string_view key) = 0;
};

/// Where a store keeps its bytes: named blobs, written once, read by range, listed by prefix.
/// Owns:    its connection or directory.
/// Threads: shared.
/// Errors:  invalid_argument for what is no key; store_not_found for an absent blob; io_* otherwise;
///          with the key, or the path that ends in it, as context.
/// Cost:    one request or a handful of system calls per method.
class BlobStore {
 public:
  struct Listed {
    std::string key;
    std::uint64_t size_bytes = 0;

    friend bool operator==(const Listed&, const Listed&) = default;
  };
  using Visit = std::function<Result<void>(const Listed&)>;

  virtual ~BlobStore() = default;
  /// Must not outlive the store.
  [[nodiscard]] virtual Result<std::unique_ptr<BlobWriter>> create() = 0;
  /// Fills all of `out` from `offset_bytes` on. Errors: store_corrupt if the blob ends before.
  [[nodiscard]] virtual Result<void> read(std::string_view key, std::uint64_t offset_bytes,
                                          MutableBytes out) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size(std::string_view key) = 0;
  /// Calls `visit` for every blob whose key begins with `prefix`, in ascending order of keys. `visit` may
  /// stop by returning an error, which is then returned, and may use the store.
  [[nodiscard]] virtual Result<void> list(std::string_view prefix, const Visit& visit) = 0;
  /// Durable when it returns; removing an absent blob is no error.
  [[nodiscard]] virtual Result<void> remove(std::string_view key) = 0;
  /// The blob `from` is `to` from now on, whatever its bytes are, and even if they cannot be read; a blob
  /// that was `to` is replaced. Durable when it returns.
  [[nodiscard]] virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
};

}  // namespace chunker::store
