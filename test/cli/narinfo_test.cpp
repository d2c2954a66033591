#include "cli/narinfo.hpp"

#include <gtest/gtest.h>

namespace chunker::cli {
namespace {

const std::string kNarinfo =
    "StorePath: /nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0\n"
    "URL: nar/demo.nar\n"
    "Compression: none\n"
    "NarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\n"
    "NarSize: 120\n"
    "References: 00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0 "
    "0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24\n"
    "Sig: old-1:AAAA\n";

std::string without(const std::string& field) {
  const std::size_t begin = kNarinfo.find(field + ": ");
  return kNarinfo.substr(0, begin) + kNarinfo.substr(kNarinfo.find('\n', begin) + 1);
}

TEST(CliNarinfo, SignsWhatNixSigns) {
  const auto info = parse_narinfo(kNarinfo);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->fingerprint,
            "1;/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0;"
            "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73;120;"
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0,"
            "/nix/store/0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24");
  EXPECT_EQ(info->signatures, std::vector<std::string>{"old-1:AAAA"});
}

TEST(CliNarinfo, HashesMayBeHexadecimal) {
  std::string text = kNarinfo;
  const std::string base32 = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
  text.replace(text.find(base32), base32.size(),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(parse_narinfo(text)->fingerprint, parse_narinfo(kNarinfo)->fingerprint);
}

TEST(CliNarinfo, AbsentFieldsAreNamed) {
  for (const char* field : {"StorePath", "NarHash", "NarSize"}) {
    const auto info = parse_narinfo(without(field));
    ASSERT_FALSE(info) << field;
    EXPECT_EQ(info.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(info.error().what.find(field), std::string::npos);
  }
  EXPECT_TRUE(parse_narinfo(without("References")));
  EXPECT_FALSE(parse_narinfo("NarSize: x\n"));
}

TEST(CliNarinfo, ANewSignatureReplacesTheOldOneOfItsKeyOnly) {
  const std::string once = with_signature(kNarinfo, "new-1:BBBB");
  EXPECT_EQ(once, kNarinfo + "Sig: new-1:BBBB\n");
  EXPECT_EQ(with_signature(once, "old-1:CCCC"),
            without("Sig") + "Sig: new-1:BBBB\nSig: old-1:CCCC\n");
}

}  // namespace
}  // namespace chunker::cli
