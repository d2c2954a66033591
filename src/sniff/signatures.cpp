#include "sniff/signatures.hpp"

#include <algorithm>

#include "base/wire.hpp"

namespace chunker::sniff {
namespace {

using namespace std::string_view_literals;

// What a short signature needs beside itself.
using Check = bool (*)(Bytes beginning) noexcept;

struct Signature {
  ContentFormat format;
  std::size_t offset_bytes;
  std::string_view magic;
  Check confirmed = nullptr;
};

bool stands_at(Bytes beginning, std::size_t offset_bytes, std::string_view magic) noexcept {
  return beginning.size() >= offset_bytes &&
         text_of(beginning.subspan(offset_bytes)).starts_with(magic);
}

// Fat Mach-O and Java share 0xCAFEBABE. Behind it, big-endian: how many architectures there are, or two halves of
// a version from 45 (Java 1.1) on. So the first is a small number and the second none.
constexpr unsigned kArchitecturesMax = 44;
bool is_fat_mach_o(Bytes beginning) noexcept {
  return stands_at(beginning, 4, "\0\0\0"sv) && beginning.size() > 7 &&
         std::to_integer<unsigned>(beginning[7]) <= kArchitecturesMax;
}
bool is_java(Bytes beginning) noexcept {
  return beginning.size() > 7 && std::to_integer<unsigned>(beginning[7]) > kArchitecturesMax;
}

// "MZ" alone may begin a text; where the other header lies stands in the four bytes at 60.
bool is_pe(Bytes beginning) noexcept {
  constexpr std::size_t kWhereAt = 60;
  return beginning.size() >= kWhereAt + 4 &&
         stands_at(beginning, base::load_le<std::uint32_t>(&beginning[kWhereAt]), "PE\0\0"sv);
}

bool is_bzip2(Bytes beginning) noexcept {
  return stands_at(beginning, 4, "\x31\x41\x59\x26\x53\x59") ||
         stands_at(beginning, 4, "\x17\x72\x45\x38\x50\x90");
}
bool is_webp(Bytes beginning) noexcept { return stands_at(beginning, 8, "WEBP"); }
bool is_wav(Bytes beginning) noexcept { return stands_at(beginning, 8, "WAVE"); }
bool is_avi(Bytes beginning) noexcept { return stands_at(beginning, 8, "AVI "); }

// A frame of MPEG audio, layer III, with a bit rate and a sample rate that exist: sync is 11 bits, then
// version (2), layer (2), protection (1), bit rate (4), sample rate (2).
bool is_mp3_frame(Bytes beginning) noexcept {
  if (beginning.size() < 3) return false;
  const unsigned head = std::to_integer<unsigned>(beginning[1]);
  const unsigned rates = std::to_integer<unsigned>(beginning[2]);
  const unsigned version = head >> 3 & 3, bit_rate = rates >> 4, sample_rate = rates >> 2 & 3;
  return version != 1 && bit_rate != 0 && bit_rate != 15 && sample_rate != 3;
}

// A version from 2 to 4; text would go on with a letter or a blank.
bool is_id3(Bytes beginning) noexcept {
  return beginning.size() > 3 && beginning[3] >= std::byte{2} && beginning[3] <= std::byte{4};
}

// The first box, whose size is before its name, takes less than 64 KiB.
bool is_mp4(Bytes beginning) noexcept { return stands_at(beginning, 0, "\0\0"sv); }

constexpr Signature kSignatures[] = {
    {ContentFormat::elf, 0,
     "\x7f"
     "ELF"sv},
    {ContentFormat::mach_o, 0, "\xcf\xfa\xed\xfe"sv},
    {ContentFormat::mach_o, 0, "\xce\xfa\xed\xfe"sv},
    {ContentFormat::mach_o, 0, "\xfe\xed\xfa\xcf"sv},
    {ContentFormat::mach_o, 0, "\xfe\xed\xfa\xce"sv},
    {ContentFormat::mach_o, 0, "\xca\xfe\xba\xbe"sv, is_fat_mach_o},
    {ContentFormat::java_class, 0, "\xca\xfe\xba\xbe"sv, is_java},
    {ContentFormat::pe, 0, "MZ"sv, is_pe},
    {ContentFormat::wasm, 0, "\0asm"sv},
    {ContentFormat::ar, 0, "!<arch>\n"sv},
    {ContentFormat::ar, 0, "!<thin>\n"sv},
    {ContentFormat::nar, 0, "\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0"sv},
    {ContentFormat::sqlite, 0, "SQLite format 3\0"sv},
    {ContentFormat::pdf, 0, "%PDF-"sv},
    {ContentFormat::tar, 257, "ustar"sv},

    {ContentFormat::gzip, 0, "\x1f\x8b\x08"sv},
    {ContentFormat::zstd, 0, "\x28\xb5\x2f\xfd"sv},
    {ContentFormat::xz, 0,
     "\xfd"
     "7zXZ\0"sv},
    {ContentFormat::bzip2, 0, "BZh"sv, is_bzip2},
    {ContentFormat::lz4, 0, "\x04\x22\x4d\x18"sv},
    {ContentFormat::zip, 0, "PK\x03\x04"sv},
    {ContentFormat::zip, 0, "PK\x05\x06"sv},  // An empty one.
    {ContentFormat::seven_zip, 0, "7z\xbc\xaf\x27\x1c"sv},
    {ContentFormat::rar, 0, "Rar!\x1a\x07"sv},
    {ContentFormat::lzip, 0, "LZIP\x01"sv},
    {ContentFormat::woff, 0, "wOFF"sv},
    {ContentFormat::woff2, 0, "wOF2"sv},

    {ContentFormat::png, 0, "\x89PNG\r\n\x1a\n"sv},
    {ContentFormat::jpeg, 0, "\xff\xd8\xff"sv},
    {ContentFormat::gif, 0, "GIF87a"sv},
    {ContentFormat::gif, 0, "GIF89a"sv},
    {ContentFormat::webp, 0, "RIFF"sv, is_webp},
    {ContentFormat::wav, 0, "RIFF"sv, is_wav},
    {ContentFormat::avi, 0, "RIFF"sv, is_avi},
    {ContentFormat::jpeg_xl, 0, "\0\0\0\x0cJXL \r\n\x87\n"sv},
    {ContentFormat::tiff, 0, "II*\0"sv},
    {ContentFormat::tiff, 0, "MM\0*"sv},
    {ContentFormat::ogg, 0, "OggS\0"sv},
    {ContentFormat::flac, 0, "fLaC"sv},
    {ContentFormat::mp3, 0, "ID3"sv, is_id3},
    {ContentFormat::mp3, 0, "\xff\xfb"sv, is_mp3_frame},
    {ContentFormat::mp3, 0, "\xff\xf3"sv, is_mp3_frame},
    {ContentFormat::mp4, 4, "ftyp"sv, is_mp4},
    {ContentFormat::matroska, 0, "\x1a\x45\xdf\xa3"sv},
};

struct Traits {
  ContentFormat format;
  std::string_view name;
  ContentType type;
  bool compresses_itself;
};

constexpr ContentType kBinary = ContentType::binary, kCompressed = ContentType::compressed,
                      kMultimedia = ContentType::multimedia;

constexpr Traits kTraits[] = {
    {ContentFormat::unknown, "unknown", kBinary, false},
    {ContentFormat::elf, "elf", kBinary, false},
    {ContentFormat::mach_o, "mach_o", kBinary, false},
    {ContentFormat::pe, "pe", kBinary, false},
    {ContentFormat::wasm, "wasm", kBinary, false},
    {ContentFormat::java_class, "java_class", kBinary, false},
    {ContentFormat::ar, "ar", kBinary, false},
    {ContentFormat::tar, "tar", kBinary, false},
    {ContentFormat::nar, "nar", kBinary, false},
    {ContentFormat::sqlite, "sqlite", kBinary, false},
    {ContentFormat::pdf, "pdf", kBinary, false},

    {ContentFormat::gzip, "gzip", kCompressed, true},
    {ContentFormat::zstd, "zstd", kCompressed, true},
    {ContentFormat::xz, "xz", kCompressed, true},
    {ContentFormat::bzip2, "bzip2", kCompressed, true},
    {ContentFormat::lz4, "lz4", kCompressed, true},
    {ContentFormat::zip, "zip", kCompressed, true},
    {ContentFormat::seven_zip, "seven_zip", kCompressed, true},
    {ContentFormat::rar, "rar", kCompressed, true},
    {ContentFormat::lzip, "lzip", kCompressed, true},
    {ContentFormat::woff, "woff", kCompressed, true},
    {ContentFormat::woff2, "woff2", kCompressed, true},

    {ContentFormat::png, "png", kMultimedia, true},
    {ContentFormat::jpeg, "jpeg", kMultimedia, true},
    {ContentFormat::gif, "gif", kMultimedia, true},
    {ContentFormat::webp, "webp", kMultimedia, true},
    {ContentFormat::jpeg_xl, "jpeg_xl", kMultimedia, true},
    {ContentFormat::tiff, "tiff", kMultimedia, false},
    {ContentFormat::ogg, "ogg", kMultimedia, true},
    {ContentFormat::flac, "flac", kMultimedia, true},
    {ContentFormat::mp3, "mp3", kMultimedia, true},
    {ContentFormat::wav, "wav", kMultimedia, false},
    {ContentFormat::avi, "avi", kMultimedia, true},
    {ContentFormat::mp4, "mp4", kMultimedia, true},
    {ContentFormat::matroska, "matroska", kMultimedia, true},
};

// Of unknown for a number that is no format, as metadata from elsewhere may have.
const Traits& traits_of(ContentFormat format) noexcept {
  const auto* const found = std::ranges::find(kTraits, format, &Traits::format);
  return found != std::ranges::end(kTraits) ? *found : kTraits[0];
}

}  // namespace

ContentFormat format_by_signature(Bytes beginning) noexcept {
  for (const Signature& signature : kSignatures) {
    if (stands_at(beginning, signature.offset_bytes, signature.magic) &&
        (signature.confirmed == nullptr || signature.confirmed(beginning))) {
      return signature.format;
    }
  }
  return ContentFormat::unknown;
}

ContentType type_of(ContentFormat format) noexcept { return traits_of(format).type; }

}  // namespace chunker::sniff

namespace chunker {

bool compresses_itself(ContentFormat format) noexcept {
  return sniff::traits_of(format).compresses_itself;
}

std::string_view name(ContentFormat format) noexcept { return sniff::traits_of(format).name; }

}  // namespace chunker
