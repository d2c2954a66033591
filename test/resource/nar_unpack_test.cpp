#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "nar/archive.hpp"
#include "resource/directory.hpp"
#include "resource/nar_files.hpp"
#include "support/temporary_directory.hpp"

namespace chunker {
namespace {

namespace fs = std::filesystem;
using test::Archive;
using test::make_file;
using test::read_file;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ErrorCode code(const Result<void>& result) { return result ? ErrorCode{} : result.error().code; }

/// `directory`/in is where archives are unpacked; beside it is what they must not reach.
class NarUnpack : public testing::Test {
 protected:
  NarUnpack() {
    fs::create_directory(path("in"));
    fs::create_directory(path("outside"));
    make_file(path("outside/file"), "untouched");
  }
  void TearDown() override {
    EXPECT_EQ(read_file(path("outside/file")), "untouched");
    EXPECT_THAT(names("outside"), ElementsAre("file"));
  }

  fs::path path(std::string_view name) const { return directory_.path() / name; }
  std::vector<std::string> names(std::string_view directory) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path(directory))) {
      found.push_back(entry.path().filename());
    }
    return found;
  }
  /// The unfinished root, while an archive is being unpacked.
  fs::path unfinished() const { return path("in") / names("in").at(0) / "root"; }

  Result<void> unpack(std::string_view target, std::string_view nar) const {
    auto unpacker = NarUnpacker::create(path(target));
    if (!unpacker) return std::unexpected(unpacker.error());
    Result<void> fed = unpacker->feed(bytes_of(nar));
    return fed ? unpacker->finish() : fed;
  }

 private:
  test::TemporaryDirectory directory_;
};

std::string nar_of(const test::Tree& tree) {
  std::string nar;
  NarWriter writer([&](Bytes piece) -> Result<void> {
    nar.append(text_of(piece));
    return {};
  });
  EXPECT_TRUE(test::write_tree(writer, "", tree));
  EXPECT_TRUE(writer.finish());
  return nar;
}

Archive small_tree() {
  return Archive::root_directory()
      .entry("dir")
      .strings("(", "type", "directory")
      .entry("a")
      .empty_file()
      .strings(")", ")", ")")
      .entry("link")
      .strings("(", "type", "symlink", "target", "dir", ")", ")")
      .entry("run")
      .strings("(", "type", "regular", "executable", "", "contents", "x", ")", ")")
      .strings(")");
}

TEST_F(NarUnpack, RandomTreesUnpackedAndDumpedByNixAreTheSameBytes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    test::TreeMaker make(seed);
    const std::string nar = nar_of(make.tree(5));
    const std::string target = "in/" + std::to_string(seed);
    auto unpacker = NarUnpacker::create(path(target));
    ASSERT_TRUE(unpacker) << describe(unpacker.error());
    for (std::string_view rest = nar; !rest.empty();) {
      const std::size_t size = std::min(rest.size(), 1 + make.below(5000));
      ASSERT_TRUE(unpacker->feed(bytes_of(rest.substr(0, size)))) << seed;
      rest.remove_prefix(size);
    }
    ASSERT_TRUE(unpacker->finish()) << seed;
    ASSERT_EQ(test::nix_dump(path(target)) == nar, true) << seed;
    ASSERT_EQ(test::dump(path(target)).value() == nar, true) << seed;
  }
}

TEST_F(NarUnpack, UnpacksWhatNixDumps) {
  test::make_tree(path("tree"), test::TreeMaker(7).tree(6));
  ASSERT_TRUE(unpack("in/out", test::nix_dump(path("tree"))));
  EXPECT_EQ(test::nix_dump(path("in/out")) == test::nix_dump(path("tree")), true);
}

TEST_F(NarUnpack, ModesFollowTheUmask) {
  const auto modes_under = [&](::mode_t mask, std::string_view target) {
    const ::mode_t before = ::umask(mask);
    EXPECT_TRUE(unpack(target, small_tree().bytes()));
    ::umask(before);
    std::vector<unsigned> modes;
    for (const char* name : {"", "dir", "dir/a", "run"}) {
      modes.push_back(static_cast<unsigned>(fs::status(path(target) / name).permissions()));
    }
    return modes;
  };
  EXPECT_THAT(modes_under(022, "in/usual"), ElementsAre(0755, 0755, 0644, 0755));
  EXPECT_THAT(modes_under(077, "in/private"), ElementsAre(0700, 0700, 0600, 0700));
}

TEST_F(NarUnpack, RootMayBeAFileOrASymlink) {
  const Archive file = Archive().strings("nix-archive-1", "(", "type", "regular", "executable", "",
                                         "contents", "hello", ")");
  ASSERT_TRUE(unpack("in/file", file.bytes()));
  EXPECT_EQ(read_file(path("in/file")), "hello");
  EXPECT_EQ(test::nix_dump(path("in/file")), file.bytes());
  const Archive link =
      Archive().strings("nix-archive-1", "(", "type", "symlink", "target", "/nowhere", ")");
  ASSERT_TRUE(unpack("in/link", link.bytes()));
  EXPECT_EQ(fs::read_symlink(path("in/link")), "/nowhere");
}

TEST_F(NarUnpack, NothingIsThereBeforeTheEnd) {
  auto unpacker = NarUnpacker::create(path("in/out"));
  ASSERT_TRUE(unpacker);
  ASSERT_TRUE(unpacker->feed(bytes_of(small_tree().bytes())));
  EXPECT_FALSE(fs::exists(path("in/out")));
  struct ::stat status{};
  ASSERT_EQ(::stat(unfinished().parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U) << "others could get in";
  ASSERT_TRUE(unpacker->finish());
  EXPECT_THAT(names("in"), ElementsAre("out"));
  EXPECT_TRUE(unpacker->finish()) << "once is enough";
}

TEST_F(NarUnpack, NFR3_2_NothingIsLeftOfATruncatedArchive) {
  const std::string nar = small_tree().bytes();
  for (std::size_t size = 0; size < nar.size(); size += 8) {
    EXPECT_EQ(code(unpack("in/out", std::string_view(nar).substr(0, size))),
              ErrorCode::nar_truncated);
    EXPECT_THAT(names("in"), IsEmpty()) << size;
  }
}

TEST_F(NarUnpack, NFR3_2_NothingIsLeftOfABadArchive) {
  Archive nar = small_tree();
  EXPECT_EQ(code(unpack("in/out", nar.raw("x").bytes())), ErrorCode::nar_trailing_bytes);
  EXPECT_THAT(names("in"), IsEmpty());
  EXPECT_EQ(code(unpack("in/out", "text")), ErrorCode::nar_bad_magic);
  EXPECT_THAT(names("in"), IsEmpty());
}

TEST_F(NarUnpack, NothingIsLeftOfAnUnfinishedOne) {
  {
    auto unpacker = NarUnpacker::create(path("in/out"));
    ASSERT_TRUE(unpacker);
    ASSERT_TRUE(unpacker->feed(bytes_of(small_tree().bytes())));
    EXPECT_EQ(names("in").size(), 1U);
  }
  EXPECT_THAT(names("in"), IsEmpty());
}

TEST_F(NarUnpack, RepeatsItsFirstError) {
  auto unpacker = NarUnpacker::create(path("in/out"));
  ASSERT_TRUE(unpacker);
  const Result<void> first = unpacker->feed(bytes_of("text"));
  ASSERT_FALSE(first);
  EXPECT_EQ(unpacker->feed(bytes_of(small_tree().bytes())), first);
  EXPECT_EQ(unpacker->finish(), first);
  EXPECT_THAT(names("in"), IsEmpty());
}

// Every way in which the names of an archive could point out of it.
TEST_F(NarUnpack, NFR3_2_HostileNamesCannotEscape) {
  const std::string outside = path("outside").string();
  const auto file = [](Archive archive, std::string_view name) {
    return archive.entry(name).empty_file().strings(")", ")").bytes();
  };
  const Archive root = Archive::root_directory();
  for (const std::string& name :
       {std::string(".."), std::string("."), std::string("../outside/file"), outside + "/file",
        std::string("a/b"), std::string(), std::string("a\0b", 3)}) {
    EXPECT_EQ(code(unpack("in/out", file(root, name))), ErrorCode::nar_bad_name) << name;
    EXPECT_THAT(names("in"), IsEmpty());
  }
}

TEST_F(NarUnpack, NFR3_2_NothingIsWrittenThroughASymlinkOfTheArchive) {
  const std::string outside = path("outside").string();
  const Archive link = Archive::root_directory().entry("link").strings("(", "type", "symlink",
                                                                       "target", outside, ")", ")");
  // The same name again, as a directory with the outside file in it or as a file.
  const Archive through = Archive(link)
                              .entry("link")
                              .strings("(", "type", "directory")
                              .entry("file")
                              .empty_file()
                              .strings(")", ")", ")", ")");
  const Archive over = Archive(link).entry("link").empty_file().strings(")", ")");
  const Archive below = Archive(link).entry("link/file").empty_file().strings(")", ")");
  EXPECT_EQ(code(unpack("in/out", through.bytes())), ErrorCode::nar_names_unsorted);
  EXPECT_EQ(code(unpack("in/out", over.bytes())), ErrorCode::nar_names_unsorted);
  EXPECT_EQ(code(unpack("in/out", below.bytes())), ErrorCode::nar_bad_name);
  EXPECT_THAT(names("in"), IsEmpty());
}

// What a file system that ignores case does to "A" and "a", and what another process of this user
// can do: the name is taken already when its turn comes.
TEST_F(NarUnpack, NFR3_2_ANameThatIsTakenIsNeitherFollowedNorReplaced) {
  const std::string file(Archive()
                             .entry("name")
                             .strings("(", "type", "regular", "contents", "evil", ")", ")")
                             .bytes());
  const std::string directory(
      Archive().entry("name").strings("(", "type", "directory").entry("file").empty_file().bytes());
  const std::string link(
      Archive().entry("name").strings("(", "type", "symlink", "target", "x", ")").bytes());
  const auto plant_link = [&](const fs::path& at) { fs::create_symlink(path("outside/file"), at); };
  const auto plant_directory_link = [&](const fs::path& at) {
    fs::create_directory_symlink(path("outside"), at);
  };
  const auto plant_file = [&](const fs::path& at) { make_file(at, ""); };
  const auto plant_directory = [&](const fs::path& at) { fs::create_directory(at); };
  for (const std::string& entry : {file, directory, link}) {
    for (const std::function<void(fs::path)>& plant :
         {std::function<void(fs::path)>(plant_link), std::function<void(fs::path)>(plant_file),
          std::function<void(fs::path)>(plant_directory_link),
          std::function<void(fs::path)>(plant_directory)}) {
      auto unpacker = NarUnpacker::create(path("in/out"));
      ASSERT_TRUE(unpacker);
      ASSERT_TRUE(unpacker->feed(bytes_of(Archive::root_directory().bytes())));
      plant(unfinished() / "name");
      const Result<void> fed = unpacker->feed(bytes_of(entry));
      EXPECT_EQ(code(fed), ErrorCode::nar_unsafe_target);
      EXPECT_EQ(fed.error().context, path("in/out/name").string());
      EXPECT_THAT(names("in"), IsEmpty());
    }
  }
}

TEST_F(NarUnpack, RefusesATargetThatExists) {
  make_file(path("in/file"), "mine");
  fs::create_directory(path("in/directory"));
  fs::create_symlink("nowhere", path("in/dangling"));
  fs::create_directory_symlink(path("outside"), path("in/link"));
  for (const std::string_view target :
       {"in/file", "in/directory", "in/dangling", "in/link", "in/directory/"}) {
    const auto unpacker = NarUnpacker::create(path(target));
    ASSERT_FALSE(unpacker) << target;
    EXPECT_EQ(unpacker.error().code, ErrorCode::nar_unsafe_target) << target;
  }
  EXPECT_EQ(read_file(path("in/file")), "mine");
  EXPECT_EQ(names("in").size(), 4U);
}

TEST_F(NarUnpack, RefusesATargetThatAppearsMeanwhile) {
  const auto check = [&](auto make) {
    auto unpacker = NarUnpacker::create(path("in/out"));
    ASSERT_TRUE(unpacker);
    ASSERT_TRUE(unpacker->feed(bytes_of(small_tree().bytes())));
    make();
    EXPECT_EQ(code(unpacker->finish()), ErrorCode::nar_unsafe_target);
    EXPECT_THAT(names("in"), ElementsAre("out"));
  };
  check([&] { make_file(path("in/out"), "theirs"); });
  EXPECT_EQ(read_file(path("in/out")), "theirs");
  fs::remove(path("in/out"));
  check([&] { fs::create_directory(path("in/out")); });
  EXPECT_THAT(names("in/out"), IsEmpty());
  fs::remove(path("in/out"));
  check([&] { fs::create_directory_symlink(path("outside"), path("in/out")); });
}

TEST_F(NarUnpack, RefusesATargetWithoutANameOfItsOwn) {
  for (const char* target : {"", "/", ".", "..", "in/..", "in/."}) {
    const auto unpacker = NarUnpacker::create(target);
    ASSERT_FALSE(unpacker) << target;
    EXPECT_EQ(unpacker.error().code, ErrorCode::nar_unsafe_target) << target;
  }
}

TEST_F(NarUnpack, NamesAParentThatIsNotThere) {
  const auto unpacker = NarUnpacker::create(path("absent/out"));
  ASSERT_FALSE(unpacker);
  EXPECT_EQ(unpacker.error().code, ErrorCode::io_not_found);
  EXPECT_THAT(unpacker.error().context, HasSubstr(path("absent").string()));
  EXPECT_EQ(NarUnpacker::create(path("outside/file/out")).error().code, ErrorCode::io_not_found);
}

TEST_F(NarUnpack, TheParentMayBeASymlink) {
  fs::create_directory_symlink("in", path("alias"));
  EXPECT_TRUE(unpack("alias/out", small_tree().bytes()));
  EXPECT_TRUE(fs::exists(path("in/out/dir/a")));
}

TEST_F(NarUnpack, RefusesAParentThatMustNotBeWrittenTo) {
  fs::permissions(path(""), static_cast<fs::perms>(0755));
  fs::permissions(path("in"), static_cast<fs::perms>(0555));
  {
    const test::AsNobody nobody;
    EXPECT_EQ(code(unpack("in/out", small_tree().bytes())), ErrorCode::io_permission);
  }
  EXPECT_THAT(names("in"), IsEmpty());
}

TEST_F(NarUnpack, NothingIsLeftWhenSpaceRunsOut) {
  const test::LowerLimit bytes(RLIMIT_FSIZE, 100'000);
  const Archive nar =
      Archive::root_directory()
          .entry("big")
          .strings("(", "type", "regular", "contents", std::string(200'000, 'x'), ")", ")")
          .strings(")");
  const Result<void> done = unpack("in/out", nar.bytes());
  EXPECT_EQ(code(done), ErrorCode::io_no_space);
  EXPECT_THAT(done.error().context, HasSubstr(path("in/out/big").string()));
  EXPECT_THAT(names("in"), IsEmpty());
}

TEST_F(NarUnpack, R11_2_AnArchiveOfAnyDepthTakesFiveDescriptors) {
  Archive nar = Archive::root_directory();
  for (int i = 0; i < 2000; ++i) nar.entry("d").strings("(", "type", "directory");
  for (int i = 0; i < 2000; ++i) nar.strings(")", ")");
  nar.strings(")");
  {
    const test::LowerLimit few(RLIMIT_NOFILE, test::limit_that_leaves(5));
    const Result<void> done = unpack("in/out", nar.bytes());
    ASSERT_TRUE(done) << describe(done.error());
    const auto again = test::dump(path("in/out"));
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_EQ(*again == nar.bytes(), true);
  }
  const auto tree = resource::open_directory(AT_FDCWD, path("in/out").native(), path("in/out"));
  resource::remove_all_in(*tree);
}

TEST_F(NarUnpack, NothingIsLeftWhenDescriptorsRunOut) {
  Archive nar = Archive::root_directory();
  for (int i = 0; i < 100; ++i) nar.entry("d").strings("(", "type", "directory");
  const test::LowerLimit files(RLIMIT_NOFILE, test::limit_that_leaves(4));
  EXPECT_EQ(code(unpack("in/out", nar.bytes())), ErrorCode::io_too_many_files);
  EXPECT_THAT(names("in"), IsEmpty());
}

}  // namespace
}  // namespace chunker
