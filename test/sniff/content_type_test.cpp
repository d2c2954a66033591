#include "chunker/content_type.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "sniff/samples.hpp"

namespace chunker {
namespace {

using namespace std::string_view_literals;
using test::random_bytes;
using test::repeated;

constexpr ContentType kBinary = ContentType::binary, kText = ContentType::text,
                      kCompressed = ContentType::compressed, kMultimedia = ContentType::multimedia;

struct Signed {
  std::string beginning;
  ContentFormat format;
  ContentType type;
};

std::string tar_header() {
  return "bin/sh" + std::string(251, '\0') + "ustar" + std::string(250, '\0');
}

std::string pe_header(std::uint8_t where) {
  std::string header = "MZ" + std::string(58, '\x90') + std::string(1, static_cast<char>(where));
  header += "\0\0\0"sv;
  header.resize(where, '\0');
  return header + std::string("PE\0\0\x64\x86", 6);
}

std::string magic(std::string_view bytes) { return std::string(bytes); }

std::vector<Signed> binaries() {
  return {
      {magic("\x7f\x45LF\x02\x01\x01"), ContentFormat::elf, kBinary},
      {magic("\xcf\xfa\xed\xfe\x07\0\0\x01"sv), ContentFormat::mach_o, kBinary},
      {magic("\xce\xfa\xed\xfe\x07\0\0\0"sv), ContentFormat::mach_o, kBinary},
      {magic("\xfe\xed\xfa\xcf\x01\0\0\x07"sv), ContentFormat::mach_o, kBinary},
      {magic("\xfe\xed\xfa\xce\0\0\0\x12"sv), ContentFormat::mach_o, kBinary},
      {magic("\xca\xfe\xba\xbe\0\0\0\x02"sv), ContentFormat::mach_o, kBinary},
      {magic("\xca\xfe\xba\xbe\0\0\0\x34"sv), ContentFormat::java_class, kBinary},
      {magic("\xca\xfe\xba\xbe\0\x03\0\x2d"sv), ContentFormat::java_class, kBinary},
      {pe_header(0x80), ContentFormat::pe, kBinary},
      {magic("\0asm\x01\0\0\0"sv), ContentFormat::wasm, kBinary},
      {magic("!<arch>\n/               "), ContentFormat::ar, kBinary},
      {magic("!<thin>\n/               "), ContentFormat::ar, kBinary},
      {magic("\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0\x01"sv), ContentFormat::nar, kBinary},
      {tar_header(), ContentFormat::tar, kBinary},
      {magic("SQLite format 3\0\x10"sv), ContentFormat::sqlite, kBinary},
      {magic("%PDF-1.7\n%\xe2\xe3"), ContentFormat::pdf, kBinary},
  };
}

std::vector<Signed> compressed() {
  return {
      {magic("\x1f\x8b\x08\0\0"sv), ContentFormat::gzip, kCompressed},
      {magic("\x28\xb5\x2f\xfd\x24"), ContentFormat::zstd, kCompressed},
      {magic("\xfd\x37zXZ\0\0"sv), ContentFormat::xz, kCompressed},
      {magic("BZh9\x31\x41\x59\x26\x53\x59"), ContentFormat::bzip2, kCompressed},
      {magic("BZh1\x17\x72\x45\x38\x50\x90"), ContentFormat::bzip2, kCompressed},
      {magic("\x04\x22\x4d\x18\x64"), ContentFormat::lz4, kCompressed},
      {magic("PK\x03\x04\x14\0"sv), ContentFormat::zip, kCompressed},
      {magic("PK\x05\x06\0\0"sv), ContentFormat::zip, kCompressed},
      {magic("7z\xbc\xaf\x27\x1c\0"sv), ContentFormat::seven_zip, kCompressed},
      {magic("Rar!\x1a\x07\x01"), ContentFormat::rar, kCompressed},
      {magic("LZIP\x01\x0c"), ContentFormat::lzip, kCompressed},
      {magic("wOFF\0\x01"sv), ContentFormat::woff, kCompressed},
      {magic("wOF2\0\x01"sv), ContentFormat::woff2, kCompressed},
  };
}

std::vector<Signed> multimedia() {
  return {
      {magic("\x89PNG\r\n\x1a\n\0"sv), ContentFormat::png, kMultimedia},
      {magic("\xff\xd8\xff\xe0\0\x10JFIF"sv), ContentFormat::jpeg, kMultimedia},
      {magic("GIF87a\x01"), ContentFormat::gif, kMultimedia},
      {magic("GIF89a\x01"), ContentFormat::gif, kMultimedia},
      {magic("RIFF\x10\0\0\0WEBPVP8 "sv), ContentFormat::webp, kMultimedia},
      {magic("RIFF\x10\0\0\0WAVEfmt "sv), ContentFormat::wav, kMultimedia},
      {magic("RIFF\x10\0\0\0AVI LIST"sv), ContentFormat::avi, kMultimedia},
      {magic("\0\0\0\x0cJXL \r\n\x87\n"sv), ContentFormat::jpeg_xl, kMultimedia},
      {magic("II*\0\x08"sv), ContentFormat::tiff, kMultimedia},
      {magic("MM\0*\0"sv), ContentFormat::tiff, kMultimedia},
      {magic("OggS\0\x02"sv), ContentFormat::ogg, kMultimedia},
      {magic("fLaC\0\0"sv), ContentFormat::flac, kMultimedia},
      {magic("ID3\x04\0"sv), ContentFormat::mp3, kMultimedia},
      {magic("\xff\xfb\x90\x64"), ContentFormat::mp3, kMultimedia},
      {magic("\xff\xf3\x84\x64"), ContentFormat::mp3, kMultimedia},
      {magic("\0\0\0\x20"
             "ftypavif"sv),
       ContentFormat::mp4, kMultimedia},
      {magic("\x1a\x45\xdf\xa3\x9f"), ContentFormat::matroska, kMultimedia},
  };
}

std::vector<Signed> all_formats() {
  std::vector<Signed> all = binaries();
  for (const auto& more : {compressed(), multimedia()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

TEST(ContentType, R16_1_FormatsAreToldByTheirSignatures) {
  for (const Signed& sample : all_formats()) {
    const ContentKind expected{sample.type, sample.format};
    for (const std::string& file :
         {sample.beginning, sample.beginning + std::string(5000, ' '),
          sample.beginning + random_bytes(5000), sample.beginning + repeated("text ", 100)}) {
      EXPECT_EQ(sniff_content(bytes_of(file)), expected) << name(sample.format);
    }
  }
}

TEST(ContentType, R16_2_R15_5_CompressedFormatsSayThatTheyAre) {
  const std::set<ContentFormat> kNotInside = {ContentFormat::tiff, ContentFormat::wav};
  for (const Signed& sample : all_formats()) {
    EXPECT_EQ(compresses_itself(sample.format),
              sample.type != kBinary && !kNotInside.contains(sample.format))
        << name(sample.format);
  }
  EXPECT_FALSE(compresses_itself(ContentFormat::unknown));
  EXPECT_FALSE(compresses_itself(ContentFormat{250}));
}

TEST(ContentType, NoSignatureIsSeenInWhatIsCutShort) {
  for (const Signed& sample : all_formats()) {
    // Where tar and PE have theirs, and in any case within the first four bytes.
    const std::string cut = sample.beginning.substr(0, sample.format == ContentFormat::tar  ? 260
                                                       : sample.format == ContentFormat::pe ? 100
                                                                                            : 1);
    EXPECT_EQ(sniff_content(bytes_of(cut)).format, ContentFormat::unknown) << name(sample.format);
  }
}

TEST(ContentType, NamesAreTheEnumeratorsAndDistinct) {
  std::set<std::string_view> names;
  std::set<ContentFormat> formats;
  for (const Signed& sample : all_formats()) {
    names.insert(name(sample.format));
    formats.insert(sample.format);
  }
  EXPECT_EQ(names.size(), formats.size());
  EXPECT_EQ(formats.size(), 10U + 11U + 13U);
  EXPECT_EQ(name(ContentFormat::seven_zip), "seven_zip");
  EXPECT_EQ(name(ContentFormat::unknown), "unknown");
  EXPECT_EQ(name(ContentFormat{250}), "unknown");
  EXPECT_EQ(name(kBinary), "binary");
  EXPECT_EQ(name(kText), "text");
  EXPECT_EQ(name(kCompressed), "compressed");
  EXPECT_EQ(name(kMultimedia), "multimedia");
}

struct Unsigned {
  std::string what;
  std::string beginning;
  ContentType type;
};

std::vector<Unsigned> without_signature() {
  const std::string latin1 = repeated(
      "Stra\xdf"
      "e und Caf\xe9 ",
      3000);
  return {
      {"English", repeated("The quick brown fox\njumps\tover\r\n", 4000), kText},
      {"one letter", "x", kText},
      {"a terminal's colors", "\x1b[31mred\x1b[0m", kText},
      {"UTF-8", repeated("na\xc3\xafve \xe2\x82\xac 5 \xf0\x9f\x98\x80 ", 4000), kText},
      {"UTF-8 cut in a character", repeated("\xe2\x82\xac", 4000), kText},
      {"UTF-8 begun in a character", repeated("\x82\xac\xe2", 4000), kText},
      {"UTF-16", std::string("\xff\xfeh\0i\0", 6), kText},
      {"UTF-16, big-endian", std::string("\xfe\xff\0h\0i", 6), kText},
      {"ISO 8859-1", latin1, kText},
      {"too much of what ISO 8859-1 has", repeated("\xe4\xf6\xfc\xdf a", 3000), kBinary},
      {"a control character of ISO 8859-1", latin1 + "\x85", kBinary},
      {"a control character", "text\x01text", kBinary},
      {"DEL", "text\x7ftext", kBinary},
      {"a zero", std::string("text\0text", 9), kBinary},
      {"nothing", "", kBinary},
      {"zeros", std::string(4096, '\0'), kBinary},
      {"\"MZ\" in a text", "MZ is the mark of Zbikowski. " + repeated("And more. ", 100), kText},
      {"\"ID3\" in a text", "ID3 tags come first", kText},
      {"\"ftyp\" in a text", "The ftyp box", kText},
      {"\"BZh\" in a text", "BZh9 begins", kText},
      {"\"RIFF\" in a text", "RIFF is like IFF", kText},
      {"0xCAFEBABE of no kind", std::string("\xca\xfe\xba\xbe\0\x01\0\x02", 8), kBinary},
      {"MPEG audio without a bit rate", std::string("\xff\xfb\x00\x64", 4), kBinary},
      {"a PE header beyond the end", pe_header(0x80).substr(0, 0x80), kBinary},
      {"numbers", repeated(std::string("\x01\0\0\0\x02\0\0\0\xf0\x3f\0\0", 12), 4096), kBinary},
      {"random", random_bytes(4096), kCompressed},
      {"random, shorter", random_bytes(1024), kCompressed},
      {"too little of random", random_bytes(1023), kBinary},
  };
}

TEST(ContentType, R16_1_StatisticsTellWhereThereIsNoSignature) {
  for (const auto& [what, beginning, type] : without_signature()) {
    const ContentKind kind = sniff_content(bytes_of(beginning));
    EXPECT_EQ(name(kind.type), name(type)) << what;
    EXPECT_EQ(kind.format, ContentFormat::unknown) << what;
  }
}

TEST(ContentType, R16_1_OnlyTheFirst4096BytesCount) {
  const std::string text = repeated("all of this is text\n", kSniffedBytesMax);
  EXPECT_EQ(sniff_content(bytes_of(text + std::string(100'000, '\0'))).type, kText);
  EXPECT_EQ(sniff_content(bytes_of(text.substr(1) + '\0')).type, kBinary);
}

}  // namespace
}  // namespace chunker
