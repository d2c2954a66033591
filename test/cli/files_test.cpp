#include <unistd.h>

#include <filesystem>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

// cut, diff and nar: what needs no store.
using CliFiles = CliTest;

TEST_F(CliFiles, CutShowsChunksThatCoverTheFile) {
  const std::string nar = add_nar("a.nar", 1, 4 << 20);
  const Outcome done = chunker({"cut", "--json", "a.nar"});
  ASSERT_EQ(done.exit, 0) << done.err;
  std::uint64_t end = 0;
  bool names_lib = false;
  for (const Json& object : objects_of(done.out)) {
    if (object.at("kind") != "chunk") continue;
    EXPECT_EQ(object.at("offset_bytes"), end);
    EXPECT_EQ(object.at("digest").get<std::string>().size(), 64U);
    end += object.at("size_bytes").get<std::uint64_t>();
    for (const Json& entry : object.at("entries")) names_lib = names_lib || entry == "lib";
  }
  EXPECT_EQ(end, nar.size());
  EXPECT_TRUE(names_lib);
  const Json file = object_of_kind(done.out, "file");
  EXPECT_EQ(file.at("is_nar"), true);
  EXPECT_EQ(file.at("bytes"), nar.size());
  EXPECT_EQ(file.at("recipe").at("avg_bytes"), 256 << 10);
  EXPECT_EQ(file.at("recipe").at("nar_mode"), "aligned");
}

TEST_F(CliFiles, CutOfSomethingElseIsPlainAndOfAPipeToo) {
  const std::string text = random_text(7, 1 << 20);
  write_file(path("text"), text);
  const Outcome done = chunker({"cut", "text", "absent"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.out.find("text: no NAR, 1.0 MiB, "), std::string::npos) << done.out;
  EXPECT_NE(done.err.find("absent"), std::string::npos);
  const Json piped = object_of_kind(chunker({"cut", "--json", "-"}, {.input = text}).out, "file");
  EXPECT_EQ(piped.at("bytes"), text.size());
}

TEST_F(CliFiles, R2_5_CutIsTheSameEveryTime) {
  add_nar("a.nar", 1, 4 << 20);
  EXPECT_EQ(chunker({"cut", "--threads", "1", "a.nar"}).out,
            chunker({"cut", "--threads", "4", "a.nar"}).out);
}

TEST_F(CliFiles, R16_1_R16_3_R16_6_CutShowsWhatIsInEachChunkIfAsked) {
  write_file(path("zeros"), std::string(100'000, '\0'));
  write_file(path("noise"), random_bytes(1, 100'000));
  const Outcome json = chunker({"cut", "--content", "--json", "zeros"});
  EXPECT_EQ(object_of_kind(json.out, "chunk").at("content"), Json({{"type", "binary"},
                                                                   {"format", "unknown"},
                                                                   {"entropy_estimate", 0.0},
                                                                   {"run_length", true}}))
      << json.out;
  const Outcome noise = chunker({"cut", "--content", "--json", "noise"});
  const Json content = object_of_kind(noise.out, "chunk").at("content");
  EXPECT_EQ(content.at("type"), "compressed");
  EXPECT_GT(content.at("entropy_estimate"), 7.9);
  EXPECT_NE(chunker({"cut", "--content", "zeros"}).out.find("binary                     0.00  run"),
            std::string::npos);
  EXPECT_EQ(chunker({"cut", "--json", "zeros"}).out.find("content"), std::string::npos);
}

TEST_F(CliFiles, R16_4_CutPrefersLinesIfAsked) {
  std::string text;
  for (long line = 0; text.size() < (4U << 20); ++line) {
    text += std::to_string(line * 7919) + '\n';
  }
  write_file(path("text"), text);
  std::size_t cuts = 0, behind_lines = 0;
  for (const Json& object : objects_of(chunker({"cut", "--prefer-lines", "--json", "text"}).out)) {
    if (object.at("kind") != "chunk") continue;
    const auto end =
        object.at("offset_bytes").get<std::size_t>() + object.at("size_bytes").get<std::size_t>();
    ++cuts;
    behind_lines += text.at(end - 1) == '\n' ? 1U : 0U;
  }
  EXPECT_GT(cuts, 5U);
  EXPECT_EQ(behind_lines, cuts);
  const Json file =
      object_of_kind(chunker({"cut", "--prefer-lines", "--json", "text"}).out, "file");
  EXPECT_EQ(file.at("recipe").at("prefer_lines"), true);
  EXPECT_EQ(file.at("recipe").at("dedup_hint"), false);
}

TEST_F(CliFiles, DiffShowsWhatIsShared) {
  const std::string common = random_bytes(1, 2 << 20);
  write_file(path("a.nar"), make_nar({{"common", common}, {"mine", random_bytes(2, 1 << 20)}}));
  write_file(path("b.nar"), make_nar({{"common", common}, {"other", random_bytes(3, 1 << 20)}}));
  const Json diff = object_of_kind(chunker({"diff", "--json", "a.nar", "b.nar"}).out, "diff");
  EXPECT_EQ(diff.at("same_recipe"), true);
  for (const char* side : {"a", "b"}) {
    EXPECT_GE(diff.at(side).at("shared_bytes"), 2 << 20);
    EXPECT_GE(diff.at(side).at("unique_bytes"), 1 << 20);
    EXPECT_EQ(diff.at(side).at("stored"), false);
  }
  EXPECT_EQ(diff.at("b").at("largest_differences").at(0).at("path"), "other");
  EXPECT_EQ(diff.at("b").at("largest_differences").at(0).at("bytes"), 1 << 20);
  const Outcome picture = chunker({"diff", "a.nar", "b.nar"});
  EXPECT_NE(picture.out.find("###########"), std::string::npos) << picture.out;
  EXPECT_NE(picture.out.find("...................."), std::string::npos) << picture.out;
  EXPECT_NE(picture.out.find("1.0 MiB differ in other"), std::string::npos) << picture.out;
}

TEST_F(CliFiles, DiffTakesStandardInputOnce) {
  const std::string nar = add_nar("a.nar");
  const Outcome done = chunker({"diff", "--json", "a.nar", "-"}, {.input = nar});
  EXPECT_EQ(done.exit, 0) << done.err;
  const Json diff = object_of_kind(done.out, "diff");
  EXPECT_EQ(diff.at("b").at("name"), "standard input");
  EXPECT_EQ(diff.at("b").at("shared_bytes"), nar.size());
  EXPECT_EQ(chunker({"diff", "-", "-"}).exit, 2);
}

TEST_F(CliFiles, DiffTakesNamesOfAStoreAndItsRecipe) {
  add_nar("a.nar", 1);
  ASSERT_EQ(on_store({"ingest", "-q", "--chunk-sizes", "16K:64K:256K", "a.nar"}).exit, 0);
  fs::rename(path("a.nar"), path("same.nar"));
  const Outcome done = on_store({"diff", "--json", "a", "same.nar"});
  const Json diff = object_of_kind(done.out, "diff");
  EXPECT_EQ(diff.at("a").at("stored"), true);
  EXPECT_EQ(diff.at("b").at("stored"), false);
  EXPECT_EQ(diff.at("b").at("recipe").at("avg_bytes"), 64 << 10);
  EXPECT_EQ(diff.at("a").at("unique_bytes"), 0);
  EXPECT_EQ(diff.at("a").at("shared_bytes"), diff.at("b").at("shared_bytes"));
  const Outcome other = on_store({"diff", "a", "same.nar", "--chunk-sizes", "4K:16K:64K"});
  EXPECT_NE(other.err.find("equal bytes may not meet"), std::string::npos) << other.err;
  EXPECT_EQ(on_store({"diff", "a", "absent.nar"}).exit, 1);
}

TEST_F(CliFiles, NarDumpListCheckAndUnpackBelongTogether) {
  fs::create_directories(path("tree/bin"));
  write_file(path("tree/bin/run"), "#!/bin/sh\n");
  fs::permissions(path("tree/bin/run"), fs::perms::owner_exec, fs::perm_options::add);
  write_file(path("tree/gr\xFF"), "");
  fs::create_symlink("bin/run", path("tree/link"));
  const Outcome dumped = chunker({"nar", "dump", "tree"});
  ASSERT_EQ(dumped.exit, 0) << dumped.err;
  EXPECT_TRUE(dumped.out.starts_with(kNarMagic));
  ASSERT_EQ(chunker({"nar", "dump", "tree", "-o", "tree.nar"}).exit, 0);
  EXPECT_EQ(read_file(path("tree.nar")), dumped.out);

  const Outcome listed = chunker({"nar", "ls", "tree.nar"});
  EXPECT_NE(listed.out.find("-r-xr-xr-x            10"), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find("  link -> bin/run\n"), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find("$'gr\\377'"), std::string::npos) << listed.out;
  const Json listing =
      Json::parse(chunker({"nar", "ls", "--json", "-"}, {.input = dumped.out}).out);
  EXPECT_EQ(listing.at("version"), 1);
  const Json& file = listing.at("root").at("entries").at("bin").at("entries").at("run");
  EXPECT_EQ(file.at("executable"), true);
  EXPECT_EQ(dumped.out.substr(file.at("narOffset"), file.at("size")), "#!/bin/sh\n");

  const Json checked = object_of_kind(chunker({"nar", "check", "--json", "tree.nar"}).out, "nar");
  EXPECT_EQ(checked.at("entries"), 5);
  EXPECT_EQ(checked.at("files"), 2);
  EXPECT_EQ(checked.at("nar_bytes"), dumped.out.size());
  EXPECT_TRUE(chunker({"nar", "check", "tree.nar"}).out.starts_with("ok "));

  EXPECT_EQ(chunker({"nar", "unpack", "-", "copy"}, {.input = dumped.out}).exit, 0);
  EXPECT_EQ(chunker({"nar", "dump", "copy"}).out, dumped.out);
  EXPECT_EQ(chunker({"nar", "unpack", "tree.nar", "copy"}).exit, 1);
}

TEST_F(CliFiles, CheckGoesOnAfterABadNar) {
  const std::string nar = add_nar("a.nar");
  write_file(path("long.nar"), nar + "more");
  const Outcome done = chunker({"nar", "check", "long.nar", "absent.nar", "a.nar"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("chunker: long.nar: "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(" at byte " + std::to_string(nar.size()) + " (nar_trailing_bytes)"),
            std::string::npos)
      << done.err;
  EXPECT_NE(done.err.find("absent.nar"), std::string::npos);
  EXPECT_NE(done.out.find("a.nar\n"), std::string::npos);
}

TEST_F(CliFiles, AListingOfABadNarIsNoShortSuccess) {
  const std::string nar = add_nar("a.nar");
  write_file(path("short.nar"), std::string_view(nar).substr(0, nar.size() - 8));
  for (const char* format : {"--json", "--"}) {
    const Outcome done = chunker({"nar", "ls", format, "short.nar"});
    EXPECT_EQ(done.exit, 1);
    EXPECT_NE(done.err.find("short.nar: "), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("(nar_truncated)"), std::string::npos) << done.err;
  }
}

TEST_F(CliFiles, AFailedDumpLeavesNoFile) {
  fs::create_directory(path("tree"));
  ASSERT_EQ(::mkfifo(path("tree/pipe").c_str(), 0600), 0);
  const Outcome done = chunker({"nar", "dump", "tree", "-o", "out.nar"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("(nar_unsupported_file)"), std::string::npos) << done.err;
  std::size_t left = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory_.path())) ++left;
  EXPECT_EQ(left, 1U);  // the tree
}

}  // namespace
}  // namespace chunker::test
