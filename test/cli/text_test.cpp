#include "cli/text.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "chunker/hash.hpp"

namespace chunker::cli {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(CliText, BytesInBinaryUnits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(kMax), "16.0 EiB");
}

TEST(CliText, Commas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1518512345), "1,518,512,345");
}

TEST(CliText, NounsAgreeWithTheirNumber) {
  EXPECT_EQ(counted(1, "NAR"), "1 NAR");
  EXPECT_EQ(counted(0, "NAR"), "0 NARs");
  EXPECT_EQ(counted(1518, "entry", "entries"), "1,518 entries");
}

TEST(CliText, Durations) {
  EXPECT_EQ(duration(0.421), "0.42 s");
  EXPECT_EQ(duration(12.34), "12.3 s");
  EXPECT_EQ(duration(185), "3m05s");
  EXPECT_EQ(duration(7630), "2h07m");
  EXPECT_EQ(duration(-1), "-");
  EXPECT_EQ(duration(std::numeric_limits<double>::infinity()), "-");
}

TEST(CliText, Percentages) {
  EXPECT_EQ(percent(1, 8), "12.5 %");
  EXPECT_EQ(percent(0, 0), "-");
}

TEST(CliText, TimesAreUtc) {
  EXPECT_EQ(utc_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_time(1793795580), "2026-11-04T12:33:00Z");
  EXPECT_EQ(utc_time(kMax >> 1), "-");
}

TEST(CliText, SizesAreReadInBinaryUnits) {
  EXPECT_EQ(parse_bytes("512"), 512);
  EXPECT_EQ(parse_bytes("512B"), 512);
  EXPECT_EQ(parse_bytes("128K"), 128 << 10);
  EXPECT_EQ(parse_bytes("128KiB"), 128 << 10);
  EXPECT_EQ(parse_bytes("2M"), 2 << 20);
  EXPECT_EQ(parse_bytes("3T"), 3ULL << 40);
  for (const char* bad : {"", "K", "-1", "1.5M", "1X", "1KB", "1 K", "1Kib", "99999999999999999999",
                          "99999999999T"}) {
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
  }
}

TEST(CliText, SizesAreWrittenShort) {
  for (const std::uint64_t bytes :
       {0ULL, 1ULL, 1023ULL, 1024ULL, 512ULL << 10, 2ULL << 20, 3ULL << 50}) {
    EXPECT_EQ(parse_bytes(short_bytes(bytes)), bytes);
  }
  EXPECT_EQ(short_bytes(2 << 20), "2M");
  EXPECT_EQ(short_bytes((2 << 20) + 1), "2097153");
}

TEST(CliText, PlainNamesStayAsTheyAre) {
  EXPECT_EQ(printable("hello world.nar"), "hello world.nar");
  EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
}

TEST(CliText, NamesThatWouldHarmATerminalAreQuotedAsShellsReadThem) {
  EXPECT_EQ(printable("a\nb"), "$'a\\012b'");
  EXPECT_EQ(printable("\x1b[2J'\\"), "$'\\033[2J\\'\\\\'");
  EXPECT_EQ(printable("\xFF"), "$'\\377'");
  EXPECT_EQ(printable("\xC2\x9B"
                      "1m"),
            "$'\\302\\2331m'");
}

// U+202E would print "exe.rpm" where "mpr.exe" stands.
TEST(CliText, NamesThatTurnTheDirectionOfWritingAreQuotedToo) {
  EXPECT_EQ(printable("a\xE2\x80\xAE"
                      "mpr.exe"),
            "$'a\\342\\200\\256mpr.exe'");
  for (const char* control : {"\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xAA",
                              "\xE2\x80\xAB", "\xE2\x80\xAC", "\xE2\x80\xAD", "\xE2\x80\xAE",
                              "\xE2\x81\xA6", "\xE2\x81\xA7", "\xE2\x81\xA8", "\xE2\x81\xA9"}) {
    EXPECT_TRUE(printable(control).starts_with("$'\\")) << printable(control);
  }
  // Their neighbors, and Hebrew and Arabic themselves, are characters like others.
  for (const char* plain :
       {"\xD8\x9B", "\xE2\x80\x8D", "\xE2\x80\x90", "\xE2\x80\xAF", "\xE2\x81\xA5", "\xE2\x81\xAA",
        "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85"}) {
    EXPECT_EQ(printable(plain), plain);
  }
}

TEST(CliText, JsonNamesStayDifferentWhateverTheirBytes) {
  EXPECT_EQ(json_text("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(json_text("\xFF"),
            "\xEF\xBF\xBD"
            "ff");
  EXPECT_EQ(json_text("\xEF\xBF\xBD"),
            "\xEF\xBF\xBD"
            "ef\xEF\xBF\xBD"
            "bf\xEF\xBF\xBD"
            "bd");
  EXPECT_NE(json_text("\xC0\x80"), json_text("\xED\xA0\x80"));  // overlong, surrogate
  EXPECT_EQ(json_text("\xF4\x90\x80\x80").substr(0, 5),
            "\xEF\xBF\xBD"
            "f4");  // beyond Unicode
  EXPECT_EQ(json_text("\xE2\x82"),
            "\xEF\xBF\xBD"
            "e2\xEF\xBF\xBD"
            "82");  // cut off
}

TEST(CliText, HashesAsNixWritesThem) {
  // printf '' | nix-hash --flat --base32 --type sha256
  EXPECT_EQ(nix_hash(HashAlgorithm::sha256().hash({})),
            "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
}

}  // namespace
}  // namespace chunker::cli
