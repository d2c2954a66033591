#include "chunker/nar_listing.hpp"

#include <gtest/gtest.h>

#include "nar/archive.hpp"

namespace chunker {
namespace {

using test::Archive;

Archive link(std::string_view target) {
  return Archive().strings("nix-archive-1", "(", "type", "symlink", "target", target, ")");
}

TEST(NarListing, HasTheShapeOfNixsLs) {
  const Archive archive =
      Archive::root_directory()
          .entry("dir")
          .strings("(", "type", "directory")
          .entry("empty")
          .strings("(", "type", "directory", ")", ")")
          .entry("run")
          .strings("(", "type", "regular", "executable", "", "contents", "abc", ")")
          .strings(")", ")", ")")
          .entry("file")
          .empty_file()
          .strings(")")
          .entry("link")
          .strings("(", "type", "symlink", "target", "dir/run", ")", ")")
          .strings(")");
  EXPECT_EQ(nar_listing_json(bytes_of(archive.bytes())).value(),
            R"({"version":1,"root":{"type":"directory","entries":{)"
            R"("dir":{"type":"directory","entries":{)"
            R"("empty":{"type":"directory","entries":{}},)"
            R"("run":{"type":"regular","size":3,"executable":true,"narOffset":568}}},)"
            R"("file":{"type":"regular","size":0,"narOffset":792},)"
            R"("link":{"type":"symlink","target":"dir/run"}}}})");
}

TEST(NarListing, RootMayBeAFileOrASymlink) {
  const Archive file =
      Archive().strings("nix-archive-1", "(", "type", "regular", "contents", "hello", ")");
  EXPECT_EQ(nar_listing_json(bytes_of(file.bytes())).value(),
            R"({"version":1,"root":{"type":"regular","size":5,"narOffset":96}})");
  EXPECT_EQ(nar_listing_json(bytes_of(link("t").bytes())).value(),
            R"({"version":1,"root":{"type":"symlink","target":"t"}})");
}

TEST(NarListing, EscapesWhatJsonMustNotHoldAndBytesThatAreNotUtf8) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\"\\/", R"(\"\\/)"},
      {"\n\r\t\b\x01\x1f\x7f", "\\n\\r\\t\\u0008\\u0001\\u001f\x7f"},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xff", R"(\ufffdff)"},
      {"a\xc3", R"(a\ufffdc3)"},
      {"\xc3(", R"(\ufffdc3()"},
      {"\xc0\xaf", R"(\ufffdc0\ufffdaf)"},                          // overlong
      {"\xe0\x80\xaf", R"(\ufffde0\ufffd80\ufffdaf)"},              // overlong
      {"\xed\xa0\x80", R"(\ufffded\ufffda0\ufffd80)"},              // surrogate
      {"\xf4\x90\x80\x80", R"(\ufffdf4\ufffd90\ufffd80\ufffd80)"},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", R"(\ufffdf5\ufffd80\ufffd80\ufffd80)"},
      {"\xe2\x82", R"(\ufffde2\ufffd82)"},
      {"\xef\xbf\xbd", R"(\ufffdef\ufffdbf\ufffdbd)"},  // U+FFFD itself, so that it is not "\xff"
      {"\xef\xbf\xbdx", R"(\ufffdef\ufffdbf\ufffdbdx)"},
  };
  for (const auto& [target, json] : cases) {
    EXPECT_EQ(nar_listing_json(bytes_of(link(target).bytes())).value(),
              R"({"version":1,"root":{"type":"symlink","target":")" + std::string(json) + "\"}}");
  }
}

TEST(NarListing, MayBeTakenInPieces) {
  const Archive archive = Archive::root_directory()
                              .entry("a")
                              .empty_file()
                              .strings(")")
                              .entry("b")
                              .empty_file()
                              .strings(")", ")");
  NarListing listing;
  NarParser parser;
  std::string json;
  for (const std::byte& byte : bytes_of(archive.bytes())) {
    ASSERT_TRUE(parser.feed(Bytes(&byte, 1), listing));
    json += listing.take();
  }
  EXPECT_EQ(json, nar_listing_json(bytes_of(archive.bytes())).value());
}

TEST(NarListing, NFR3_2_IsRefusedForABadArchive) {
  const auto listing = nar_listing_json(bytes_of("text"));
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().code, ErrorCode::nar_bad_magic);
  EXPECT_FALSE(nar_listing_json(bytes_of(kNarMagic)));
}

}  // namespace
}  // namespace chunker
