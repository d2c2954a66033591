#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/dictionary.hpp"
#include "chunker/error.hpp"
#include "chunker/memory_budget.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// A dictionary with all that was ever made of its bytes.
/// Owns:    the bytes and both parsed forms.
/// Threads: shared; it never changes.
/// Errors:  none.
/// Cost:    about seven times its bytes.
struct Dictionary {
  ByteBuffer bytes;
  EncoderDictionary encoder;
  DecoderDictionary decoder;

  [[nodiscard]] DictionaryId id() const noexcept { return decoder.id(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return bytes.size() + encoder.memory_bytes() + decoder.memory_bytes();
  }
};

template <>
inline constexpr Threads threads_of<Dictionary> = Threads::shared;

struct DictionaryCacheOptions {
  std::size_t max_dictionaries = 16;  ///< R4.3; with 0 nothing is kept.
  int level = 3;                      ///< zstd's level of the encoders.
  /// Fetches the bytes of a dictionary that is not in the cache: from a file, a store, a server. Called from
  /// whichever thread needs it, once for those who need the same one; it must not use the cache.
  std::function<Result<ByteBuffer>(DictionaryId)> load{};
  /// What it counts in, and whom it makes way for (R9.1, R9.2).
  std::shared_ptr<MemoryBudget> memory_budget{};
};

template <>
inline constexpr Threads threads_of<DictionaryCacheOptions> = Threads::shared;

struct DictionaryCacheStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t evictions = 0;
  std::size_t dictionaries = 0;
  std::size_t memory_bytes =
      0;  ///< Of what is in the cache; who uses an evicted one still holds it.
};

template <>
inline constexpr Threads threads_of<DictionaryCacheStats> = Threads::shared;

/// Keeps dictionaries parsed, so that reading and training them is paid once (R4.1).
/// Owns:    a share of the dictionaries used last.
/// Threads: shared. A dictionary that is evicted lives on for those who have it.
/// Errors:  dictionary_unavailable for one that is neither in the cache nor to be loaded; what `load` says.
/// Cost:    one short lock per look-up; about 0.8 MB per dictionary of the usual size.
class DictionaryCache {
 public:
  explicit DictionaryCache(DictionaryCacheOptions options = {});
  ~DictionaryCache();
  DictionaryCache(const DictionaryCache&) = delete;
  DictionaryCache& operator=(const DictionaryCache&) = delete;

  /// Takes a dictionary in, both forms of it (R4.4). One that is there already is not parsed again.
  /// Errors: invalid_argument for bytes that are no dictionary, or unlike those that have its number.
  [[nodiscard]] Result<std::shared_ptr<const Dictionary>> add(Bytes dictionary);
  /// The dictionary of this number: from the cache, else loaded (R4.2).
  [[nodiscard]] Result<std::shared_ptr<const Dictionary>> find(DictionaryId id);
  /// The same without loading; nothing if it is not in the cache.
  [[nodiscard]] std::shared_ptr<const Dictionary> cached(DictionaryId id);

  /// Appends `input` as a frame that names dictionary `id`.
  [[nodiscard]] Result<void> compress(DictionaryId id, Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output);
  /// Appends what a zstd frame holds, decoded by the dictionary that it names, if it names one (R4.6).
  [[nodiscard]] Result<void> decompress(Bytes frame, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output);

  [[nodiscard]] DictionaryCacheStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<DictionaryCache> = Threads::shared;

}  // namespace chunker
