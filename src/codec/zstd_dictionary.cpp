#include <zdict.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "chunker/dictionary.hpp"
#include "codec/builtin.hpp"
#include "codec/magic.hpp"
#include "codec/zstd_context.hpp"

namespace chunker {
namespace {

// dictionary := magic, u32 id, entropy tables, contents (RFC 8878, 5)
constexpr auto kMagic = codec::magic(0x37, 0xA4, 0x30, 0xEC);
constexpr std::size_t kIdOffset = kMagic.size();

constexpr std::string_view kNoDictionary = "these bytes are no zstd dictionary";

struct FreeEncoder {
  void operator()(ZSTD_CDict* old) const noexcept { ZSTD_freeCDict(old); }
};
struct FreeDecoder {
  void operator()(ZSTD_DDict* old) const noexcept { ZSTD_freeDDict(old); }
};

std::string words(DictionaryId id) {
  return "dictionary " + std::to_string(std::to_underlying(id));
}

}  // namespace

struct EncoderDictionary::Parsed {
  DictionaryId id;
  int level;
  std::unique_ptr<ZSTD_CDict, FreeEncoder> dictionary;
};

struct DecoderDictionary::Parsed {
  DictionaryId id;
  std::unique_ptr<ZSTD_DDict, FreeDecoder> dictionary;
};

Result<DictionaryId> dictionary_id(Bytes dictionary) {
  if (!codec::begins_with(dictionary, kMagic) || dictionary.size() > kDictionaryBytesMax) {
    return base::fail(ErrorCode::invalid_argument, kNoDictionary);
  }
  const unsigned id = ZDICT_getDictID(dictionary.data(), dictionary.size());
  if (id == 0) return base::fail(ErrorCode::invalid_argument, kNoDictionary);
  return DictionaryId{id};
}

DictionaryId dictionary_id_of_frame(Bytes frame) noexcept {
  return DictionaryId{ZSTD_getDictID_fromFrame(frame.data(), frame.size())};
}

bool DictionarySamples::add(Bytes sample) {
  if (sample.size() > kBytesMax - bytes_.size()) return false;
  bytes_.append(sample);
  sizes_.push_back(sample.size());
  return true;
}

Result<ByteBuffer> train_dictionary(const DictionarySamples& samples, std::size_t bytes_max,
                                    DictionaryId id) {
  if (bytes_max > kDictionaryBytesMax) {
    return base::fail(ErrorCode::invalid_argument, "a dictionary of such size is of no use");
  }
  ByteBuffer dictionary(bytes_max);
  const std::size_t written =
      ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), samples.bytes().data(),
                            samples.sizes().data(), static_cast<unsigned>(samples.sizes().size()));
  if (ZDICT_isError(written)) {
    return base::fail(ErrorCode::invalid_argument, "these samples do not make a dictionary",
                      Error::kNoOffset, ZDICT_getErrorName(written));
  }
  dictionary.resize(written);
  if (id != DictionaryId::none) {
    base::store_le(std::to_underlying(id), dictionary.data() + kIdOffset);
  }
  return dictionary;
}

Result<EncoderDictionary> EncoderDictionary::make(Bytes dictionary, int level) {
  if (level < codec::kZstdLevelMin || level > codec::kZstdLevelMax) {
    return base::fail(ErrorCode::invalid_argument, "zstd has no such compression level");
  }
  CHUNKER_TRY(const DictionaryId id, dictionary_id(dictionary));
  std::unique_ptr<ZSTD_CDict, FreeEncoder> parsed(
      ZSTD_createCDict(dictionary.data(), dictionary.size(), level));
  if (parsed == nullptr) return base::fail(ErrorCode::invalid_argument, kNoDictionary);
  return EncoderDictionary(std::make_shared<const Parsed>(id, level, std::move(parsed)));
}

DictionaryId EncoderDictionary::id() const noexcept { return parsed_->id; }
int EncoderDictionary::level() const noexcept { return parsed_->level; }

std::size_t EncoderDictionary::memory_bytes() const noexcept {
  return ZSTD_sizeof_CDict(parsed_->dictionary.get());
}

Result<void> EncoderDictionary::compress(Bytes input, CompressionScratch& scratch,
                                         ByteBuffer& output) const {
  if (input.size() > kDictionaryContentBytesMax) {
    return base::fail(ErrorCode::invalid_argument, "too much content for a dictionary");
  }
  ZSTD_CCtx* context = codec::zstd_compressor(scratch, {.level = parsed_->level});
  ZSTD_CCtx_refCDict(context, parsed_->dictionary.get());
  return codec::append_zstd_frame_into_room(context, input, output);
}

Result<DecoderDictionary> DecoderDictionary::make(Bytes dictionary) {
  CHUNKER_TRY(const DictionaryId id, dictionary_id(dictionary));
  std::unique_ptr<ZSTD_DDict, FreeDecoder> parsed(
      ZSTD_createDDict(dictionary.data(), dictionary.size()));
  if (parsed == nullptr) return base::fail(ErrorCode::invalid_argument, kNoDictionary);
  return DecoderDictionary(std::make_shared<const Parsed>(id, std::move(parsed)));
}

DictionaryId DecoderDictionary::id() const noexcept { return parsed_->id; }

std::size_t DecoderDictionary::memory_bytes() const noexcept {
  return ZSTD_sizeof_DDict(parsed_->dictionary.get());
}

Result<void> DecoderDictionary::decompress(Bytes frame, std::uint64_t output_bytes_max,
                                           CompressionScratch& scratch, ByteBuffer& output) const {
  CHUNKER_TRY(const std::uint64_t claimed, codec::claimed_zstd_bytes(frame));
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN) {
    return base::fail(ErrorCode::unsupported, "the zstd frame does not say how much it holds");
  }
  if (claimed > std::min<std::uint64_t>(output_bytes_max, kDictionaryContentBytesMax)) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the zstd frame holds more than the limit allows");
  }
  const DictionaryId needed = dictionary_id_of_frame(frame);
  if (needed != DictionaryId::none && needed != id()) {
    return base::fail(ErrorCode::dictionary_unavailable, "the zstd frame needs another dictionary",
                      Error::kNoOffset, words(needed));
  }
  ZSTD_DCtx* context = codec::zstd_decompressor(scratch);
  ZSTD_DCtx_refDDict(context, parsed_->dictionary.get());
  return codec::append_zstd_content(context, frame, static_cast<std::size_t>(claimed), output);
}

}  // namespace chunker
