#include <gtest/gtest.h>

#include "chunker/nar.hpp"
#include "nar/archive.hpp"
#include "nar/tree.hpp"

namespace chunker {
namespace {

using test::Archive;
using test::Tree;
using test::TreeBuilder;
using test::TreeMaker;

/// A writer and what it has written.
struct Written {
  std::string bytes;
  NarWriter nar{[this](Bytes piece) -> Result<void> {
    bytes.append(text_of(piece));
    return {};
  }};
};

ErrorCode code(const Result<void>& result) { return result ? ErrorCode{} : result.error().code; }

TEST(NarWriter, WritesEveryKindOfEntryAsNixDoes) {
  Written to;
  ASSERT_TRUE(to.nar.begin_directory(""));
  ASSERT_TRUE(to.nar.begin_file("file", {.size_bytes = 5}));
  ASSERT_TRUE(to.nar.contents(bytes_of("he")));
  ASSERT_TRUE(to.nar.contents({}));
  ASSERT_TRUE(to.nar.contents(bytes_of("llo")));
  ASSERT_TRUE(to.nar.begin_directory("sub"));
  ASSERT_TRUE(to.nar.begin_file("run", {.executable = true}));
  ASSERT_TRUE(to.nar.end_directory());
  ASSERT_TRUE(to.nar.add_symlink("to", "sub"));
  ASSERT_TRUE(to.nar.end_directory());
  ASSERT_TRUE(to.nar.finish());

  const Archive expected =
      Archive::root_directory()
          .entry("file")
          .strings("(", "type", "regular", "contents", "hello", ")", ")")
          .entry("sub")
          .strings("(", "type", "directory")
          .entry("run")
          .strings("(", "type", "regular", "executable", "", "contents", "", ")")
          .strings(")", ")", ")")
          .entry("to")
          .strings("(", "type", "symlink", "target", "sub", ")", ")")
          .strings(")");
  EXPECT_EQ(to.bytes, expected.bytes());
  EXPECT_EQ(to.nar.offset_bytes(), expected.size());
}

TEST(NarWriter, RefusesCallsThatMakeNoArchive) {
  using Call = std::function<Result<void>(NarWriter&)>;
  const auto dir = [](std::string name) -> Call {
    return [name](NarWriter& n) { return n.begin_directory(name); };
  };
  const auto file = [](std::string name, std::uint64_t size) -> Call {
    return [=](NarWriter& n) { return n.begin_file(name, {.size_bytes = size}); };
  };
  const auto link = [](std::string name, std::string target) -> Call {
    return [=](NarWriter& n) { return n.add_symlink(name, target); };
  };
  const auto contents = [](std::string text) -> Call {
    return [text](NarWriter& n) { return n.contents(bytes_of(text)); };
  };
  const Call end = [](NarWriter& n) { return n.end_directory(); };
  const Call finish = [](NarWriter& n) { return n.finish(); };

  struct Case {
    std::string_view what;
    ErrorCode code;
    std::vector<Call> calls;  // The last one is refused.
  };
  using enum ErrorCode;
  const std::vector<Case> cases = {
      {"nothing written", invalid_argument, {finish}},
      {"root with a name", invalid_argument, {dir("root")}},
      {"two roots", invalid_argument, {file("", 0), file("", 0)}},
      {"end without begin", invalid_argument, {end}},
      {"end twice", invalid_argument, {dir(""), end, end}},
      {"directory left open", invalid_argument, {dir(""), finish}},
      {"file left open", invalid_argument, {file("", 1), finish}},
      {"entry inside a file", invalid_argument, {dir(""), file("a", 1), file("b", 0)}},
      {"end inside a file", invalid_argument, {dir(""), file("a", 1), end}},
      {"contents without a file", invalid_argument, {dir(""), contents("x")}},
      {"contents of an empty file", invalid_argument, {file("", 0), contents("x")}},
      {"too much contents", invalid_argument, {file("", 2), contents("xyz")}},
      {"empty name", nar_bad_name, {dir(""), file("", 0)}},
      {"name with slash", nar_bad_name, {dir(""), file("a/b", 0)}},
      {"name dot dot", nar_bad_name, {dir(""), dir("..")}},
      {"name too long", nar_bad_name, {dir(""), link(std::string(256, 'n'), "t")}},
      {"names repeat", nar_names_unsorted, {dir(""), file("a", 0), file("a", 0)}},
      {"names descend", nar_names_unsorted, {dir(""), file("b", 0), dir("a")}},
      {"target empty", nar_bad_target, {link("", "")}},
      {"target too long", nar_bad_target, {link("", std::string(4096, 't'))}},
      {"target with NUL", nar_bad_target, {link("", std::string("a\0b", 3))}},
      {"contents too long", nar_bad_length, {file("", 1ULL << 63)}},
  };
  for (const Case& c : cases) {
    Written to;
    Result<void> result;
    for (const Call& call : c.calls) {
      ASSERT_TRUE(result) << c.what;
      result = call(to.nar);
    }
    EXPECT_EQ(code(result), c.code) << c.what;
    EXPECT_EQ(to.nar.finish(), result) << c.what << ": the first error must be repeated";
  }
}

TEST(NarWriter, RefusesPathsThatTheParserWould) {
  Written to;
  ASSERT_TRUE(to.nar.begin_directory(""));
  const std::string name(kNarNameBytesMax, 'n');
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(to.nar.begin_directory(name));
  EXPECT_EQ(code(to.nar.begin_directory("n")), ErrorCode::nar_too_deep);
}

TEST(NarWriter, PassesTheSinksErrorOn) {
  NarWriter nar(
      [](Bytes) -> Result<void> { return std::unexpected(Error{ErrorCode::io_no_space, "full"}); });
  ASSERT_TRUE(nar.begin_file("", {.size_bytes = 1 << 20}));
  const std::string text(1 << 20, 'x');
  EXPECT_EQ(code(nar.contents(bytes_of(text))), ErrorCode::io_no_space);
  EXPECT_EQ(code(nar.finish()), ErrorCode::io_no_space);
}

TEST(NarWriter, KeepsLittleBeforeItCallsTheSink) {
  std::size_t written = 0;
  NarWriter nar([&](Bytes piece) -> Result<void> {
    written += piece.size();
    return {};
  });
  ASSERT_TRUE(nar.begin_file("", {.size_bytes = 10 << 20}));
  const std::string small(1000, 'x');
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(nar.contents(bytes_of(small)));
    ASSERT_LT(nar.offset_bytes() - written, 128U << 10);
  }
}

TEST(NarRoundTrip, R1_6_RandomTreesSurviveWriterAndParserUnderRandomSplits) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    TreeMaker make(seed);
    const Tree tree = make.tree(5);
    Written to;
    ASSERT_TRUE(test::write_tree(to.nar, "", tree)) << seed;
    ASSERT_TRUE(to.nar.finish()) << seed;

    TreeBuilder builder;
    NarParser parser;
    for (std::string_view rest = to.bytes; !rest.empty();) {
      const std::size_t size =
          std::min(rest.size(), 1 + make.below(make.below(2) == 0 ? 30 : 3000));
      ASSERT_TRUE(parser.feed(bytes_of(rest.substr(0, size)), builder)) << seed;
      rest.remove_prefix(size);
    }
    ASSERT_TRUE(parser.finish()) << seed;
    ASSERT_EQ(builder.root, tree) << seed;
  }
}

}  // namespace
}  // namespace chunker
