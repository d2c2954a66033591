#include "pipeline/repair.hpp"

#include <mutex>

#include "base/try.hpp"
#include "pipeline/readers.hpp"
#include "store/reconcile.hpp"

namespace chunker::pipeline {

Result<store::Salvaged> set_aside(Store::Parts& parts, std::span<const std::string> keys,
                                  const OnReadersWait& on_wait) {
  CHUNKER_TRY(auto salvaged, store::salvage(parts, keys, store::Elsewhere::look));
  // No chunk that was saved may be looked for in a pack that goes, not even after a power cut.
  CHUNKER_TRY_VOID(parts.index->flush());
  CHUNKER_TRY(const auto alone, lock_out_readers(parts, on_wait));
  const std::unique_lock alone_in_process(parts.reading);
  parts.unsettled = true;
  for (const std::string& key : salvaged.packs) {
    CHUNKER_TRY_VOID(parts.blobs->rename(key, "damaged/" + key));
  }
  CHUNKER_TRY_VOID(store::forget_packs(*parts.blobs, *parts.index, salvaged.packs));
  parts.forget_caches();
  parts.unsettled = false;
  CHUNKER_TRY_VOID(parts.index->flush());
  return salvaged;
}

}  // namespace chunker::pipeline
