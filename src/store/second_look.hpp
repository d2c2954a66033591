#pragma once

#include <memory>
#include <utility>

#include "store/parts.hpp"

namespace chunker::store {

/// The error of reading in a pack, as one of what lies there: of a pack that is gone the chunks are missing.
[[nodiscard]] inline Error of_what_lies_there(Error error) noexcept {
  if (error.code == ErrorCode::store_not_found) error.code = ErrorCode::store_chunk_missing;
  return error;
}

/// Whether `error` may be no damage but a gc in another process, which waits for readers as long as they can lock. One
/// that may not write in the store's directory cannot.
[[nodiscard]] inline bool may_have_moved(const Store::Parts& parts, const Error& error) noexcept {
  return error.code == ErrorCode::store_chunk_missing &&
         parts.options.access == StoreAccess::read && !parts.reader_lock;
}

/// read(parts); if what it needs may have moved, once more on the store as it is now: gc has copied it before. If that
/// cannot be opened, the error is the one before.
template <class Read>
auto with_second_look(Store::Parts& parts, const Read& read) -> decltype(read(parts)) {
  auto result = read(parts);
  std::shared_ptr<const Store> tried;
  // What was opened for an earlier look may be behind again.
  for (int looks = 0; looks < 2 && !result && may_have_moved(parts, result.error()); ++looks) {
    auto opened = parts.newer(tried.get());
    if (!opened) break;
    tried = *std::move(opened);
    result = read(tried->parts());
  }
  return result;
}

}  // namespace chunker::store
