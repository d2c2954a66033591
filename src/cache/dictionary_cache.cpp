#include "chunker/dictionary_cache.hpp"

#include <algorithm>
#include <list>
#include <set>
#include <string>
#include <utility>

#include "base/catching.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"

namespace chunker {
namespace {

using Shared = std::shared_ptr<const Dictionary>;

std::unexpected<Error> fail(ErrorCode code, std::string_view what, DictionaryId id) {
  return base::fail(code, what, Error::kNoOffset,
                    "dictionary " + std::to_string(std::to_underlying(id)));
}

Result<Shared> parse(Bytes bytes, int level) {
  CHUNKER_TRY(auto encoder, EncoderDictionary::make(bytes, level));
  CHUNKER_TRY(auto decoder, DecoderDictionary::make(bytes));
  return std::make_shared<const Dictionary>(ByteBuffer(bytes), std::move(encoder),
                                            std::move(decoder));
}

}  // namespace

struct DictionaryCache::State {
  explicit State(DictionaryCacheOptions given) : options(std::move(given)) {
    if (options.memory_budget == nullptr) return;
    evictor = options.memory_budget->add_evictor([this](std::size_t bytes) {
      const base::Lock lock(mutex);
      const std::size_t used = counts.memory_bytes;
      while (used - counts.memory_bytes < bytes && !recent.empty()) evict_oldest();
    });
  }
  ~State() {
    evictor = {};
    const base::Lock lock(mutex);
    while (!recent.empty()) evict_oldest();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const DictionaryCacheOptions options;
  base::Mutex mutex;
  base::Condition loaded;
  std::list<Shared> recent CHUNKER_GUARDED_BY(mutex){};  ///< Used last comes first.
  std::set<DictionaryId> loading CHUNKER_GUARDED_BY(mutex){};
  DictionaryCacheStats counts CHUNKER_GUARDED_BY(mutex){};
  MemoryBudget::Evictor evictor{};  // Last: what it calls is still there when it ends.

  /// Of sixteen, looking at each is quicker than any table.
  Shared use(DictionaryId id) CHUNKER_REQUIRES(mutex) {
    const auto found = std::ranges::find(recent, id, [](const Shared& one) { return one->id(); });
    if (found == recent.end()) return nullptr;
    recent.splice(recent.begin(), recent, found);
    return recent.front();
  }

  Shared known(DictionaryId id) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    return use(id);
  }

  Shared keep(Shared dictionary) CHUNKER_REQUIRES(mutex) {
    while (!make_room(dictionary->memory_bytes())) {
      if (recent.empty()) return dictionary;
      evict_oldest();
    }
    recent.push_front(dictionary);
    counts.memory_bytes += dictionary->memory_bytes();
    while (recent.size() > options.max_dictionaries) evict_oldest();
    return dictionary;
  }

  bool make_room(std::size_t bytes) const noexcept {
    return options.memory_budget == nullptr || options.memory_budget->try_keep(bytes);
  }

  void evict_oldest() noexcept CHUNKER_REQUIRES(mutex) {
    const std::size_t bytes = recent.back()->memory_bytes();
    counts.memory_bytes -= bytes;
    if (options.memory_budget != nullptr) options.memory_budget->let_go(bytes);
    recent.pop_back();
    ++counts.evictions;
  }

  /// From the cache; else nothing, and the caller is the one to load it.
  Shared use_or_begin_loading(DictionaryId id) CHUNKER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    while (true) {
      if (Shared known = use(id)) {
        ++counts.hits;
        return known;
      }
      if (loading.insert(id).second) break;
      loaded.wait(mutex);
    }
    ++counts.misses;
    return nullptr;
  }

  Result<Shared> load(DictionaryId id) const {
    if (id == DictionaryId::none || !options.load) {
      return fail(ErrorCode::dictionary_unavailable, "no dictionary has this number", id);
    }
    CHUNKER_TRY(const ByteBuffer bytes, options.load(id));
    CHUNKER_TRY(Shared parsed, parse(bytes, options.level));
    if (parsed->id() == id) return parsed;
    return fail(ErrorCode::dictionary_unavailable, "another dictionary was loaded", id);
  }
};

DictionaryCache::DictionaryCache(DictionaryCacheOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}

DictionaryCache::~DictionaryCache() = default;

Result<Shared> DictionaryCache::add(Bytes dictionary) {
  CHUNKER_TRY(const DictionaryId id, dictionary_id(dictionary));
  Shared known = state_->known(id);
  if (known == nullptr) {
    CHUNKER_TRY(Shared parsed, parse(dictionary, state_->options.level));
    const base::Lock lock(state_->mutex);
    known = state_->use(id);  // Someone else may have been quicker.
    if (known == nullptr) return state_->keep(std::move(parsed));
  }
  if (std::ranges::equal(known->bytes.view(), dictionary)) return known;
  return fail(ErrorCode::invalid_argument, "another dictionary has this number", id);
}

Result<Shared> DictionaryCache::find(DictionaryId id) {
  if (Shared known = state_->use_or_begin_loading(id)) return known;
  Result<Shared> loaded = base::catching([&] { return state_->load(id); });
  const base::Lock lock(state_->mutex);
  state_->loading.erase(id);
  state_->loaded.notify_all();
  if (!loaded) return loaded;
  if (Shared known = state_->use(id)) return known;  // Added meanwhile.
  return state_->keep(*std::move(loaded));
}

Shared DictionaryCache::cached(DictionaryId id) {
  const base::Lock lock(state_->mutex);
  Shared known = state_->use(id);
  ++(known ? state_->counts.hits : state_->counts.misses);
  return known;
}

Result<void> DictionaryCache::compress(DictionaryId id, Bytes input, CompressionScratch& scratch,
                                       ByteBuffer& output) {
  CHUNKER_TRY(const Shared dictionary, find(id));
  return dictionary->encoder.compress(input, scratch, output);
}

Result<void> DictionaryCache::decompress(Bytes frame, std::uint64_t output_bytes_max,
                                         CompressionScratch& scratch, ByteBuffer& output) {
  const DictionaryId id = dictionary_id_of_frame(frame);
  if (id == DictionaryId::none) {
    CHUNKER_TRY(const CompressionCodec zstd, CodecRegistry::builtin()->by_id(CodecId::zstd));
    return zstd.decompress(frame, output_bytes_max, scratch, output);
  }
  CHUNKER_TRY(const Shared dictionary, find(id));
  return dictionary->decoder.decompress(frame, output_bytes_max, scratch, output);
}

DictionaryCacheStats DictionaryCache::stats() const {
  const base::Lock lock(state_->mutex);
  DictionaryCacheStats stats = state_->counts;
  stats.dictionaries = state_->recent.size();
  return stats;
}

}  // namespace chunker
