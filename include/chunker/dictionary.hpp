#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/codec.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// The number of a trained zstd dictionary. zstd writes it into every frame that needs the dictionary, so that a
/// frame alone tells what decodes it (R4.6).
enum class DictionaryId : std::uint32_t { none = 0 };

/// What zstd advises: larger ones gain little and cost more at each frame.
inline constexpr std::size_t kDictionaryBytes = std::size_t{110} << 10;
/// Larger dictionaries are refused: what they have to tell belongs into a delta's base.
inline constexpr std::size_t kDictionaryBytesMax = std::size_t{4} << 20;
/// Larger contents are refused: a dictionary gains nothing on them.
inline constexpr std::size_t kDictionaryContentBytesMax = std::size_t{4} << 20;

/// The dictionary's own number. Errors: invalid_argument for bytes that are no trained dictionary.
[[nodiscard]] Result<DictionaryId> dictionary_id(Bytes dictionary);
/// The number of the dictionary that a zstd frame needs; none if it needs none, or is no zstd frame.
[[nodiscard]] DictionaryId dictionary_id_of_frame(Bytes frame) noexcept;

/// Contents like those that a dictionary is to be made for.
/// Owns:    copies of what was added, one behind the other.
/// Threads: movable.
/// Errors:  none.
/// Cost:    the bytes; at most kBytesMax of them.
class DictionarySamples {
 public:
  /// A hundred times the dictionary is what zstd advises; beyond this training only takes longer.
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;

  /// Takes a copy; false if there is no room for all of it.
  bool add(Bytes sample);

  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<const std::size_t> sizes() const noexcept { return sizes_; }

 private:
  ByteBuffer bytes_;
  std::vector<std::size_t> sizes_;
};

template <>
inline constexpr Threads threads_of<DictionarySamples> = Threads::movable;

/// Trains a dictionary of at most `bytes_max` bytes, the same for the same samples. `id` is the number it shall
/// have; none leaves the choice to zstd.
/// Errors: invalid_argument for samples that are too few, too small or too much alike, and for `bytes_max`
///         beyond kDictionaryBytesMax.
/// Cost:   a tenth of a second per MB of samples; DictionaryTrainer does it beside other work.
[[nodiscard]] Result<ByteBuffer> train_dictionary(const DictionarySamples& samples,
                                                  std::size_t bytes_max = kDictionaryBytes,
                                                  DictionaryId id = DictionaryId::none);

/// A dictionary made ready for compressing at one level.
/// Owns:    a share of the parsed dictionary; copying is cheap.
/// Threads: shared; each caller brings its own scratch.
/// Errors:  codec_failed, and invalid_argument for contents beyond kDictionaryContentBytesMax.
/// Cost:    parsing costs 0.4 ms and 0.5 MB at level 3, once.
class EncoderDictionary {
 public:
  /// Errors: invalid_argument for bytes that are no dictionary and for a level that zstd does not have.
  [[nodiscard]] static Result<EncoderDictionary> make(Bytes dictionary, int level = 3);

  [[nodiscard]] DictionaryId id() const noexcept;
  [[nodiscard]] int level() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  /// Appends `input` as one zstd frame that names the dictionary.
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const;

 private:
  struct Parsed;
  explicit EncoderDictionary(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

template <>
inline constexpr Threads threads_of<EncoderDictionary> = Threads::shared;

/// A dictionary made ready for decompressing.
/// Owns:    a share of the parsed dictionary; copying is cheap.
/// Threads: shared; each caller brings its own scratch.
/// Errors:  those of a codec; dictionary_unavailable for a frame that needs another dictionary.
/// Cost:    parsing costs some 10 us and a copy of the bytes, once.
class DecoderDictionary {
 public:
  /// Errors: invalid_argument for bytes that are no dictionary.
  [[nodiscard]] static Result<DecoderDictionary> make(Bytes dictionary);

  [[nodiscard]] DictionaryId id() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  /// Appends the decoded bytes of a zstd frame that says how many they are, at most `output_bytes_max` and
  /// kDictionaryContentBytesMax.
  [[nodiscard]] Result<void> decompress(Bytes frame, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const;

 private:
  struct Parsed;
  explicit DecoderDictionary(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

template <>
inline constexpr Threads threads_of<DecoderDictionary> = Threads::shared;

}  // namespace chunker
