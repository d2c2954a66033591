#pragma once

#include <memory>

#include "base/try.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Whether `error` may be no damage but a gc in another process, which waits for readers as long as they can lock. One
/// that may not write in the store's directory cannot.
[[nodiscard]] inline bool may_have_moved(const Store::Parts& parts, const Error& error) noexcept {
  return error.code == ErrorCode::store_chunk_missing && parts.options.access == StoreAccess::read;
}

/// read(parts); if what it needs may have moved, once more on the store as it is now: gc has copied it before.
template <class Read>
auto with_second_look(Store::Parts& parts, const Read& read) -> decltype(read(parts)) {
  auto result = read(parts);
  std::shared_ptr<const Store> tried;
  // What was opened for an earlier look may be behind again.
  for (int looks = 0; looks < 2 && !result && may_have_moved(parts, result.error()); ++looks) {
    CHUNKER_TRY(tried, parts.newer(tried.get()));
    result = read(tried->parts());
  }
  return result;
}

}  // namespace chunker::store
