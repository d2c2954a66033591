#include "chunker/memory_chunker.hpp"

#include <algorithm>
#include <functional>
#include <list>
#include <utility>

#include "base/catching.hpp"
#include "base/check.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"

namespace chunker {
namespace {

using Shared = std::shared_ptr<const MemoryChunks>;

/// Two hints that agree in it share their place, which is no worse than a wrong hint.
using HintKey = std::size_t;

struct Memo {
  HintKey hint;
  Shared chunks;
};

Bytes bytes_of(Bytes bytes, const ChunkExtent& chunk) noexcept {
  return bytes.subspan(static_cast<std::size_t>(chunk.offset_bytes),
                       static_cast<std::size_t>(chunk.size_bytes));
}

}  // namespace

struct MemoryChunker::State {
  State(std::shared_ptr<const ResolvedOptions> resolved, std::shared_ptr<HashCache> hash_cache)
      : options(std::move(resolved)), cache(std::move(hash_cache)) {}

  const std::shared_ptr<const ResolvedOptions> options;
  const std::shared_ptr<HashCache> cache;
  base::Mutex mutex;
  std::list<Memo> recent CHUNKER_GUARDED_BY(mutex);  ///< Used last comes first.
  std::size_t chunk_count CHUNKER_GUARDED_BY(mutex) = 0;

  Result<Shared> chunk_anew(Bytes bytes) const {
    NarAwareChunker chunker(options);
    MemoryChunks chunks;
    CHUNKER_TRY_VOID(chunker.feed(bytes, chunks.extents));
    CHUNKER_TRY_VOID(chunker.finish(chunks.extents));
    chunks.is_nar = chunker.is_nar();
    std::vector<Bytes> inputs;
    for (const ChunkExtent& one : chunks.extents) inputs.push_back(bytes_of(bytes, one));
    chunks.digests.resize(inputs.size());
    cache->hash_many(inputs, chunks.digests);
    return std::make_shared<const MemoryChunks>(std::move(chunks));
  }

  /// Whether they are the chunks of `bytes`: equal contents are cut equally.
  bool are_of(Bytes bytes, const MemoryChunks& chunks) const {
    const std::uint64_t end = chunks.extents.empty() ? 0
                                                     : chunks.extents.back().offset_bytes +
                                                           chunks.extents.back().size_bytes;
    if (end != bytes.size()) return false;
    return std::ranges::equal(chunks.extents, chunks.digests,
                              [&](const ChunkExtent& one, const Digest& digest) {
                                return cache->cached(bytes_of(bytes, one)) == digest;
                              });
  }

  Shared remembered(HintKey hint) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    const auto found = std::ranges::find(recent, hint, &Memo::hint);
    if (found == recent.end()) return nullptr;
    recent.splice(recent.begin(), recent, found);
    return found->chunks;
  }

  void remember(HintKey hint, const Shared& chunks) CHUNKER_EXCLUDES(mutex) {
    if (chunks->extents.size() > kChunksMax) return;
    const base::Lock lock(mutex);
    const auto known = std::ranges::find(recent, hint, &Memo::hint);
    if (known != recent.end()) forget(known);
    recent.push_front({hint, chunks});
    chunk_count += chunks->extents.size();
    while (recent.size() > kHintsMax || chunk_count > kChunksMax) forget(std::prev(recent.end()));
  }

  void forget(std::list<Memo>::iterator memo) CHUNKER_REQUIRES(mutex) {
    chunk_count -= memo->chunks->extents.size();
    recent.erase(memo);
  }
};

MemoryChunker::MemoryChunker(std::shared_ptr<const ResolvedOptions> options,
                             std::shared_ptr<HashCache> cache)
    : state_(std::make_unique<State>(std::move(options), std::move(cache))) {
  CHUNKER_CHECK(state_->options != nullptr && state_->cache != nullptr);
}

MemoryChunker::~MemoryChunker() = default;

Result<Shared> MemoryChunker::chunk(Bytes bytes, std::string_view hint) {
  return base::catching([&]() -> Result<Shared> {
    if (hint.empty()) return state_->chunk_anew(bytes);
    const HintKey key = std::hash<std::string_view>{}(hint);
    const Shared known = state_->remembered(key);
    if (known != nullptr && state_->are_of(bytes, *known)) return known;
    CHUNKER_TRY(Shared made, state_->chunk_anew(bytes));
    state_->remember(key, made);
    return made;
  });
}

}  // namespace chunker
