#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "chunker/nar.hpp"
#include "nar/archive.hpp"

namespace chunker {
namespace {

using test::Archive;
using test::Outcome;
using test::parse_bytewise;
using test::parse_split;
using test::parse_whole;
using testing::Values;
using testing::ValuesIn;

// However an input is split, the parser must see the same in it.
void expect_same_at_every_split(std::string_view archive) {
  const Outcome whole = parse_whole(archive);
  const auto expect_same = [&](const Outcome& split, std::size_t at) {
    EXPECT_EQ(split.events, whole.events) << "split at " << at;
    EXPECT_EQ(split.result, whole.result) << "split at " << at;
  };
  for (std::size_t at = 0; at <= archive.size(); ++at) expect_same(parse_split(archive, {at}), at);
  expect_same(parse_bytewise(archive), 1);
}

struct Good {
  std::string name;
  Archive archive;
  std::vector<std::string> events;
};
void PrintTo(const Good& good, std::ostream* out) { *out << good.name; }

std::vector<Good> good_archives() {
  const auto start = [] { return Archive().strings("nix-archive-1", "(", "type"); };
  return {
      {"EmptyFile",
       start().strings("regular", "contents", "", ")"),
       {"entry file  96+0 ", "end file  96+0 "}},
      {"FileWithPadding",
       start().strings("regular", "contents", "hello", ")"),
       {"entry file  96+5 ", "contents hello", "end file  96+5 "}},
      {"ExecutableWithoutPadding",
       start().strings("regular", "executable", "", "contents", "#!/bin/s", ")"),
       {"entry file  x 128+8 ", "contents #!/bin/s", "end file  x 128+8 "}},
      {"Symlink", start().strings("symlink", "target", "../a", ")"), {"entry symlink  96+4 ../a"}},
      {"EmptyDirectory",
       Archive::root_directory().strings(")"),
       {"entry directory  24+0 ", "end directory  24+0 "}},
      {"ExecutableLastInDirectory",
       Archive::root_directory().entry("x").strings("(", "type", "regular", "executable", "",
                                                    "contents", "", ")", ")", ")"),
       {"entry directory  24+0 ", "entry file x x 264+0 ", "end file x x 264+0 ",
        "end directory  24+0 "}},
      {"NamesAscendBytewise",
       Archive::root_directory()
           .entry("Z")
           .empty_file()
           .strings(")")
           .entry("a")
           .strings("(", "type", "directory", "entry", "(", "name", "z", "node")
           .empty_file()
           .strings(")", ")", ")")
           .entry("a.b")
           .empty_file()
           .strings(")")
           .entry("\xff")
           .strings("(", "type", "symlink", "target", "t", ")", ")")
           .strings(")"),
       {"entry directory  24+0 ", "entry file Z 232+0 ", "end file Z 232+0 ",
        "entry directory a 344+0 ", "entry file a/z 552+0 ", "end file a/z 552+0 ",
        "end directory a 344+0 ", "entry file a.b 768+0 ", "end file a.b 768+0 ",
        "entry symlink \xff 952+1 t", "end directory  24+0 "}},
  };
}

class GoodArchive : public testing::TestWithParam<Good> {};

TEST_P(GoodArchive, R1_1_IsReadWhole) {
  const Outcome outcome = parse_whole(GetParam().archive.bytes());
  EXPECT_TRUE(outcome.result) << describe(outcome.result.error());
  EXPECT_EQ(outcome.events, GetParam().events);
}

TEST_P(GoodArchive, R1_6_IsReadTheSameAtEverySplit) {
  expect_same_at_every_split(GetParam().archive.bytes());
}

TEST_P(GoodArchive, NFR3_2_IsTruncatedAtEveryShorterLength) {
  const std::string_view archive = GetParam().archive.bytes();
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const Result<void> result = parse_whole(archive.substr(0, size)).result;
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code, ErrorCode::nar_truncated) << size;
    EXPECT_EQ(result.error().offset_bytes, size);
  }
}

TEST_P(GoodArchive, NFR3_2_RejectsWhateverFollows) {
  Archive archive = GetParam().archive;
  const std::uint64_t end = archive.size();
  const Result<void> result = parse_whole(archive.raw(std::string(1, '\0')).bytes()).result;
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::nar_trailing_bytes);
  EXPECT_EQ(result.error().offset_bytes, end);
  expect_same_at_every_split(archive.bytes());
}

INSTANTIATE_TEST_SUITE_P(Nar, GoodArchive, ValuesIn(good_archives()),
                         [](const auto& i) { return i.param.name; });

struct Bad {
  std::string name;
  Archive archive;
  ErrorCode code;
  std::uint64_t offset_bytes;
  std::string context;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

/// An archive that is right up to here, and what is wrong with what comes next.
class BadArchives {
 public:
  // The fault is at the first byte of `wrong`, or `delta` bytes behind it.
  void add(std::string name, const Archive& right, const Archive& wrong, ErrorCode code,
           std::string context = {}, std::uint64_t delta = 0) {
    Archive all = right;
    all.raw(wrong.bytes()).strings(")", ")", ")");
    cases.push_back({std::move(name), all, code, right.size() + delta, std::move(context)});
  }

  std::vector<Bad> cases;
};

void add_bad_tokens(BadArchives& bad) {
  using enum ErrorCode;
  const Archive magic = Archive().strings("nix-archive-1");
  const Archive type = Archive(magic).strings("(", "type");
  const Archive file = Archive(type).strings("regular");
  const Archive root = Archive::root_directory();
  const auto token = [](auto text) { return Archive().strings(text); };

  bad.add("NoParenthesis", magic, token("["), nar_unexpected_token);
  bad.add("NoType", Archive(magic).strings("("), token(")"), nar_unexpected_token);
  bad.add("UnknownType", type, token("fifo"), nar_unexpected_token);
  bad.add("EmptyType", type, token(""), nar_unexpected_token);
  bad.add("KeywordTooLong", type, token("directory-ish"), nar_unexpected_token);
  bad.add("KeywordLengthAbsurd", type, Archive().number(~0ULL), nar_unexpected_token);
  bad.add("FileWithoutContents", file, token(")"), nar_unexpected_token);
  bad.add("ExecutableFileWithoutContents", Archive(file).strings("executable", ""), token(")"),
          nar_unexpected_token);
  bad.add("ExecutableTwice", Archive(file).strings("executable", ""), token("executable"),
          nar_unexpected_token);
  bad.add("ExecutableWithValue", Archive(file).strings("executable"), token("x"),
          nar_unexpected_token);
  bad.add("ContentsBeforeExecutable", Archive(file).strings("contents", "abc"), token("executable"),
          nar_unexpected_token);
  bad.add("ContentsTwice", Archive(file).strings("contents", "abc"), token("contents"),
          nar_unexpected_token);
  bad.add("SymlinkWithoutTarget", Archive(type).strings("symlink"), token(")"),
          nar_unexpected_token);
  bad.add("SymlinkNotClosed", Archive(type).strings("symlink", "target", "x"), token("target"),
          nar_unexpected_token);
  bad.add("EntryNotOpened", Archive(root).strings("entry"), token("name"), nar_unexpected_token);
  bad.add("EntryEmpty", Archive(root).strings("entry", "("), token(")"), nar_unexpected_token);
  bad.add("NodeBeforeName", Archive(root).strings("entry", "("), token("node"),
          nar_unexpected_token);
  bad.add("NameWithoutNode", Archive(root).strings("entry", "(", "name", "a"), token(")"),
          nar_unexpected_token, "a");
  bad.add("EntryNotClosed", Archive(root).entry("a").empty_file(), token("entry"),
          nar_unexpected_token, "a");
  bad.add("DirectoryWithContents", root, token("contents"), nar_unexpected_token);
  bad.add("SubdirectoryWithContents", Archive(root).entry("sub").strings("(", "type", "directory"),
          token("contents"), nar_unexpected_token, "sub");
}

void add_bad_values(BadArchives& bad) {
  using enum ErrorCode;
  using namespace std::string_literals;
  const Archive name = Archive::root_directory().strings("entry", "(", "name");
  const Archive sub = Archive::root_directory().entry("sub").strings("(", "type", "directory");
  const Archive sub_name = Archive(sub).strings("entry", "(", "name");
  const Archive target =
      Archive::root_directory().entry("l").strings("(", "type", "symlink", "target");
  const auto token = [](auto text) { return Archive().strings(text); };

  bad.add("NameEmpty", name, token(""), nar_bad_name);
  bad.add("NameTooLong", name, token(std::string(256, 'n')), nar_bad_name);
  bad.add("NameLengthAbsurd", name, Archive().number(1ULL << 63), nar_bad_name);
  bad.add("NameDot", name, token("."), nar_bad_name, "", 8);
  bad.add("NameDotDot", sub_name, token(".."), nar_bad_name, "sub", 8);
  bad.add("NameWithSlash", sub_name, token("a/b"), nar_bad_name, "sub", 9);
  bad.add("NameAbsolute", name, token("/etc"), nar_bad_name, "", 8);
  bad.add("NameWithNul", name, token("ab\0"s), nar_bad_name, "", 10);
  const Archive after_m = Archive(sub).entry("m").empty_file().strings(")", "entry", "(", "name");
  bad.add("NamesDescend", after_m, token("a"), nar_names_unsorted, "sub", 8);
  bad.add("NamesDescendByUnsignedBytes",
          Archive(sub).entry("\xc3\xa9").empty_file().strings(")", "entry", "(", "name"),
          token("z"), nar_names_unsorted, "sub", 8);
  bad.add("NamesRepeat", after_m, token("m"), nar_names_unsorted, "sub", 8);
  bad.add("NameIsPrefixOfTheOneBefore",
          Archive(sub).entry("ab").empty_file().strings(")", "entry", "(", "name"), token("a"),
          nar_names_unsorted, "sub", 8);
  bad.add("DirectoryNameRepeats",
          Archive(sub)
              .entry("d")
              .strings("(", "type", "directory")
              .entry("x")
              .empty_file()
              .strings(")", ")", ")", "entry", "(", "name"),
          token("d"), nar_names_unsorted, "sub", 8);
  bad.add("TargetEmpty", target, token(""), nar_bad_target, "l");
  bad.add("TargetTooLong", target, token(std::string(4096, 't')), nar_bad_target, "l");
  bad.add("TargetLengthAbsurd", target, Archive().number(~0ULL), nar_bad_target, "l");
  bad.add("TargetWithNul", target, token("a\0b"s), nar_bad_target, "l", 9);
}

void add_bad_bytes(BadArchives& bad) {
  using enum ErrorCode;
  using namespace std::string_literals;
  const Archive contents =
      Archive::root_directory().entry("f").strings("(", "type", "regular", "contents");
  const Archive nothing;
  bad.add("Text", nothing, Archive().raw("hello"), nar_bad_magic);
  bad.add("OtherVersion", nothing, Archive().strings("nix-archive-2"), nar_bad_magic, "", 20);
  // What requirement 1.1 prints: eight zeros behind the version instead of three.
  bad.add("MagicAsRequired", Archive().strings("nix-archive-1"),
          Archive().raw("\0\0\0\0\0\1\0\0\0\0\0\0\0"s), nar_unexpected_token);
  bad.add("MagicPadding", nothing, Archive().raw("\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\1"s),
          nar_bad_magic, "", 23);
  bad.add("KeywordPadding", Archive().strings("nix-archive-1"),
          Archive().number(1).raw("(\0\0\0\0\0\0\1"s), nar_bad_padding, "", 15);
  bad.add("NamePadding", Archive::root_directory().strings("entry", "(", "name"),
          Archive().number(3).raw("abc\0\1\2\0\0"s), nar_bad_padding, "", 12);
  bad.add("ContentsPadding", contents, Archive().number(7).raw("1234567\x80"), nar_bad_padding, "f",
          15);
  bad.add("ContentsLengthSigned", contents, Archive().number(1ULL << 63), nar_bad_length, "f");
  bad.add("ContentsLengthAbsurd", contents, Archive().number(~0ULL), nar_bad_length, "f");
  bad.add("ContentsLengthOverflowsOffsets", contents, Archive().number((1ULL << 63) - 64),
          nar_bad_length, "f");
}

std::vector<Bad> bad_archives() {
  BadArchives bad;
  add_bad_tokens(bad);
  add_bad_values(bad);
  add_bad_bytes(bad);
  return bad.cases;
}

class BadArchive : public testing::TestWithParam<Bad> {};

TEST_P(BadArchive, NFR3_2_IsRejectedWithCodeOffsetAndEntry) {
  const Bad& bad = GetParam();
  const Result<void> result = parse_whole(bad.archive.bytes()).result;
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, bad.code) << describe(result.error());
  EXPECT_EQ(result.error().offset_bytes, bad.offset_bytes) << describe(result.error());
  EXPECT_EQ(result.error().context, bad.context) << describe(result.error());
}

TEST_P(BadArchive, NFR3_2_IsRejectedTheSameAtEverySplit) {
  expect_same_at_every_split(GetParam().archive.bytes());
}

INSTANTIATE_TEST_SUITE_P(Nar, BadArchive, ValuesIn(bad_archives()),
                         [](const auto& i) { return i.param.name; });

TEST(NarMagic, R1_1_IsTheFirst24BytesOfARealNar) {
  EXPECT_EQ(kNarMagic, Archive().strings("nix-archive-1").bytes());
  EXPECT_EQ(kNarMagic.size(), 24U);
}

TEST(NarMagic, R1_1_IsJudgedAtItsFirstWrongByte) {
  test::Recorder recorder;
  for (std::size_t right = 0; right < kNarMagic.size(); ++right) {
    std::string start(kNarMagic.substr(0, right));
    start.push_back('?');
    NarParser parser;
    const Result<void> fed = parser.feed(bytes_of(start), recorder);
    ASSERT_FALSE(fed) << right;
    EXPECT_EQ(fed.error().code, ErrorCode::nar_bad_magic);
    EXPECT_EQ(fed.error().offset_bytes, right);
  }
}

TEST(NarParser, NFR3_2_RepeatsItsFirstError) {
  test::Recorder recorder;
  NarParser parser;
  const Result<void> first = parser.feed(bytes_of("no archive"), recorder);
  ASSERT_FALSE(first);
  const Archive good = Archive().strings("nix-archive-1").empty_file();
  EXPECT_EQ(parser.feed(bytes_of(good.bytes()), recorder), first);
  EXPECT_EQ(parser.feed({}, recorder), first);
  EXPECT_EQ(parser.finish(), first);
  EXPECT_FALSE(parser.complete());
  EXPECT_TRUE(recorder.events().empty());
}

TEST(NarParser, NFR3_2_RepeatsTruncation) {
  test::Recorder recorder;
  NarParser parser;
  const Archive archive = Archive().strings("nix-archive-1").empty_file();
  const auto half = bytes_of(archive.bytes()).first(archive.size() / 2);
  ASSERT_TRUE(parser.feed(half, recorder));
  const Result<void> truncated = parser.finish();
  ASSERT_FALSE(truncated);
  EXPECT_EQ(parser.feed(bytes_of(archive.bytes()).subspan(half.size()), recorder), truncated);
}

TEST(NarParser, KnowsWhenTheArchiveIsComplete) {
  test::Recorder recorder;
  NarParser parser;
  const Archive archive = Archive().strings("nix-archive-1").empty_file();
  const Bytes bytes = bytes_of(archive.bytes());
  ASSERT_TRUE(parser.feed(bytes.first(bytes.size() - 1), recorder));
  EXPECT_FALSE(parser.complete());
  EXPECT_EQ(parser.offset_bytes(), bytes.size() - 1);
  ASSERT_TRUE(parser.feed(bytes.last(1), recorder));
  EXPECT_TRUE(parser.complete());
  EXPECT_EQ(parser.offset_bytes(), bytes.size());
  EXPECT_TRUE(parser.finish());
}

/// Refuses the n-th event.
class Refusing final : public NarVisitor {
 public:
  explicit Refusing(int at) : left_(at) {}
  Result<void> on_entry(const NarEntry&, std::string_view) override { return next(); }
  Result<void> on_contents(Bytes) override { return next(); }
  Result<void> on_entry_end(const NarEntry&) override { return next(); }
  int calls = 0;

 private:
  Result<void> next() {
    ++calls;
    if (left_-- > 0) return {};
    return std::unexpected(Error{ErrorCode::cancelled, "enough"});
  }
  int left_;
};

TEST(NarParser, EndsWithTheVisitorsError) {
  const Archive archive = Archive::root_directory()
                              .entry("f")
                              .strings("(", "type", "regular", "contents", "abc", ")")
                              .strings(")", ")");
  for (int at = 0; at < 5; ++at) {
    Refusing visitor(at);
    NarParser parser;
    const Result<void> fed = parser.feed(bytes_of(archive.bytes()), visitor);
    ASSERT_FALSE(fed) << at;
    EXPECT_EQ(fed.error().code, ErrorCode::cancelled);
    EXPECT_EQ(parser.finish(), fed);
    EXPECT_EQ(visitor.calls, at + 1);
  }
}

/// Directories inside each other in the root, the outermost called `first`.
Archive nested(std::size_t depth, std::string_view name, std::string_view first) {
  Archive archive = Archive::root_directory().entry(first).strings("(", "type", "directory");
  for (std::size_t i = 1; i < depth; ++i) archive.entry(name).strings("(", "type", "directory");
  for (std::size_t i = 0; i < depth; ++i) archive.strings(")", ")");
  return archive.strings(")");
}
Archive nested(std::size_t depth, std::string_view name) { return nested(depth, name, name); }

TEST(NarLimits, NFR3_2_DepthEndsWherePathsEnd) {
  EXPECT_TRUE(parse_whole(nested(kNarDepthMax, "d").bytes()).result);
  const Result<void> result = parse_whole(nested(kNarDepthMax + 1, "d").bytes()).result;
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::nar_too_deep);
  EXPECT_EQ(result.error().context.size(), kNarPathBytesMax);
  const Result<void> one_byte_more = parse_whole(nested(kNarDepthMax, "d", "dd").bytes()).result;
  ASSERT_FALSE(one_byte_more);
  EXPECT_EQ(one_byte_more.error().code, ErrorCode::nar_too_deep);
}

TEST(NarLimits, NFR3_2_LongestNamesTargetsAndPathsAreRead) {
  const std::string name(kNarNameBytesMax, 'n');
  EXPECT_TRUE(parse_whole(nested(15, name).bytes()).result);
  EXPECT_TRUE(parse_whole(nested(16, name).bytes()).result);  // 16 * 256 - 1 = 4095
  EXPECT_EQ(parse_whole(nested(17, name).bytes()).result.error().code, ErrorCode::nar_too_deep);
  const std::string target(kNarTargetBytesMax, 't');
  EXPECT_TRUE(
      parse_bytewise(
          Archive().strings("nix-archive-1", "(", "type", "symlink", "target", target, ")").bytes())
          .result);
}

TEST(NarCorpus, NFR3_1_SeedsAreReadTheSameAtEverySplit) {
  int count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(CHUNKER_SOURCE_DIR "/fuzz/corpus/nar")) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    SCOPED_TRACE(file.path().filename());
    expect_same_at_every_split(bytes);
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace chunker
