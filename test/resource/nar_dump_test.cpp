#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>

#include "chunker/nar_listing.hpp"
#include "resource/directory.hpp"
#include "resource/nar_files.hpp"
#include "support/temporary_directory.hpp"

namespace chunker {
namespace {

namespace fs = std::filesystem;
using test::dump;
using test::make_file;
using test::nix_dump;
using testing::HasSubstr;

class NarDump : public testing::Test {
 protected:
  fs::path path(std::string_view name) const { return directory_.path() / name; }

 private:
  test::TemporaryDirectory directory_;
};

ErrorCode code(const Result<std::string>& result) {
  return result ? ErrorCode{} : result.error().code;
}

TEST_F(NarDump, EqualsNixStoreDumpOnRandomTrees) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const fs::path tree = path(std::to_string(seed));
    test::make_tree(tree, test::TreeMaker(seed).tree(5));
    const auto nar = dump(tree);
    ASSERT_TRUE(nar) << describe(nar.error());
    ASSERT_EQ(*nar == nix_dump(tree), true) << "seed " << seed;
  }
}

TEST_F(NarDump, WhatNixDumpsIsParsedToTheSameTree) {
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
    const test::Tree tree = test::TreeMaker(seed).tree(5);
    test::make_tree(path(std::to_string(seed)), tree);
    test::TreeBuilder builder;
    NarParser parser;
    ASSERT_TRUE(parser.feed(bytes_of(nix_dump(path(std::to_string(seed)))), builder)) << seed;
    ASSERT_TRUE(parser.finish()) << seed;
    EXPECT_EQ(builder.root, tree) << seed;
  }
}

TEST_F(NarDump, EqualsNixStoreDumpOnOddNamesModesAndSizes) {
  fs::create_directory(path("t"));
  for (const std::string_view name : {"-rf", " ", "a b", "a\nb", "...", ".hidden", "A", "a", "a.b",
                                      "a-b", "\xc3\xa9", "\xff\xfe", "'", "\\"}) {
    make_file(path("t") / name, name);
  }
  fs::create_directories(path("t/empty/also empty"));
  const std::size_t buffer = 256 << 10;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8},
                                 buffer - 1, buffer, buffer + 1, 5 * buffer + 3}) {
    make_file(path("t/size" + std::to_string(size)), std::string(size, 'x'));
  }
  for (const unsigned mode : {0400U, 0500U, 0410U, 0401U, 0755U, 0644U, 04755U, 0600U}) {
    const fs::path file = path("t/mode" + std::to_string(mode));
    make_file(file, "");
    fs::permissions(file, static_cast<fs::perms>(mode));
  }
  fs::create_symlink("nowhere", path("t/dangling"));
  fs::create_symlink("/etc", path("t/absolute"));
  fs::create_symlink(std::string(4095, 'x'), path("t/long"));
  EXPECT_EQ(dump(path("t")).value() == nix_dump(path("t")), true);
}

TEST_F(NarDump, RootMayBeAFileOrASymlink) {
  make_file(path("file"), "hello");
  EXPECT_EQ(dump(path("file")).value(), nix_dump(path("file")));
  fs::permissions(path("file"), fs::perms::owner_all);
  EXPECT_EQ(dump(path("file")).value(), nix_dump(path("file")));
  fs::create_symlink("file", path("link"));
  EXPECT_EQ(dump(path("link")).value(), nix_dump(path("link")));
}

// Nix's own words: what `nix nar ls` prints is our listing without its version.
TEST_F(NarDump, ListingEqualsNixsOnRandomTrees) {
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    test::make_tree(path("tree"), test::TreeMaker(seed, test::Alphabet::utf8).tree(5));
    const std::string nar = dump(path("tree")).value();
    make_file(path("nar"), nar);
    const std::string theirs = test::output_of(
        "nix --extra-experimental-features nix-command nar ls --json --recursive '" +
        path("nar").string() + "' / 2>&1");
    EXPECT_EQ(nar_listing_json(bytes_of(nar)).value(), R"({"version":1,"root":)" + theirs + "}")
        << seed;
    fs::remove_all(path("tree"));
  }
}

// And the real `.ls` file of a binary cache is our listing, all of it.
TEST_F(NarDump, ListingEqualsTheLsFileOfABinaryCache) {
  fs::create_directories(path("tree/sub/empty"));
  make_file(path("tree/file"), "hello");
  make_file(path("tree/sub/run"), "#!/bin/sh\n");
  fs::permissions(path("tree/sub/run"), fs::perms::owner_all);
  fs::create_symlink("sub/run", path("tree/link"));
  const std::string home = path("").string();
  test::output_of("cd '" + home + "' && export HOME=$PWD NIX_STORE_DIR=$PWD/store " +
                  "NIX_STATE_DIR=$PWD/var NIX_LOG_DIR=$PWD/log NIX_CONF_DIR=$PWD/etc " +
                  "NIX_CONFIG='build-users-group =' && " +
                  "nix --extra-experimental-features nix-command copy " +
                  "--to \"file://$PWD/cache?write-nar-listing=true\" $(nix-store --add tree) 2>&1; "
                  "chmod -R u+w store");
  std::string theirs;
  for (const auto& file : fs::directory_iterator(path("cache"))) {
    if (file.path().extension() == ".ls") theirs = test::read_file(file.path());
  }
  EXPECT_EQ(nar_listing_json(bytes_of(dump(path("tree")).value())).value(), theirs);
}

TEST_F(NarDump, RefusesWhatANarCannotHold) {
  fs::create_directory(path("t"));
  ASSERT_EQ(::mkfifo(path("t/pipe").c_str(), 0600), 0);
  auto nar = dump(path("t"));
  EXPECT_EQ(code(nar), ErrorCode::nar_unsupported_file);
  EXPECT_EQ(nar.error().context, path("t/pipe").string());
  EXPECT_EQ(code(dump(path("t/pipe"))), ErrorCode::nar_unsupported_file);
  EXPECT_EQ(code(dump("/dev/null")), ErrorCode::nar_unsupported_file);

  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path("socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(code(dump(path("socket"))), ErrorCode::nar_unsupported_file);
  ::close(socket);
}

TEST_F(NarDump, NamesWhatIsNotThere) {
  const auto nar = dump(path("absent"));
  EXPECT_EQ(code(nar), ErrorCode::io_not_found);
  EXPECT_THAT(nar.error().context, HasSubstr(path("absent").string()));
}

TEST_F(NarDump, NamesWhatMustNotBeRead) {
  fs::permissions(path(""), static_cast<fs::perms>(0755));
  fs::create_directories(path("directory/closed"));
  fs::permissions(path("directory/closed"), fs::perms::none);
  fs::create_directories(path("file"));
  make_file(path("file/secret"), "secret");
  fs::permissions(path("file/secret"), fs::perms::none);

  {
    const test::AsNobody nobody;
    auto nar = dump(path("directory"));
    EXPECT_EQ(code(nar), ErrorCode::io_permission);
    EXPECT_THAT(nar.error().context, HasSubstr("directory/closed"));
    nar = dump(path("file"));
    EXPECT_EQ(code(nar), ErrorCode::io_permission);
    EXPECT_THAT(nar.error().context, HasSubstr("file/secret"));
  }
  fs::permissions(path("directory/closed"), fs::perms::owner_all);  // so that it can be removed
}

/// Dumps `path`, and meddles with the tree once the archive has begun to come.
template <class Meddle>
Result<void> dump_and_meddle(const fs::path& path, Meddle meddle) {
  bool done = false;
  return dump_tree(path, [&](Bytes) -> Result<void> {
    if (!std::exchange(done, true)) meddle();
    return {};
  });
}

TEST_F(NarDump, NoticesAFileThatChangesWhileItIsRead) {
  using std::chrono::hours;
  const std::string text(1 << 20, 'x');
  const auto check = [&](std::string_view what, auto meddle) {
    make_file(path("file"), text);
    fs::last_write_time(path("file"), fs::file_time_type::clock::now() - hours(1));
    const Result<void> done = dump_and_meddle(path("file"), meddle);
    ASSERT_FALSE(done) << what;
    EXPECT_EQ(done.error().code, ErrorCode::io_changed) << what;
    EXPECT_EQ(done.error().context, path("file").string()) << what;
    EXPECT_EQ(retry(done.error().code), Retry::later);
  };
  check("shrinks", [&] { fs::resize_file(path("file"), 1000); });
  check("grows", [&] { fs::resize_file(path("file"), text.size() + 1); });
  check("grows and hides it", [&] {
    const auto before = fs::last_write_time(path("file"));
    fs::resize_file(path("file"), text.size() + 1);
    fs::last_write_time(path("file"), before);
  });
  check("is written to", [&] { std::fstream(path("file")) << "other"; });
  make_file(path("file"), text);
  EXPECT_TRUE(dump_and_meddle(path("file"), [] {})) << "nothing changed";
}

TEST_F(NarDump, NoticesAFileThatVanishesFromTheTree) {
  fs::create_directory(path("t"));
  make_file(path("t/a"), std::string(1 << 20, 'x'));
  make_file(path("t/b"), "");
  const Result<void> done = dump_and_meddle(path("t"), [&] { fs::remove(path("t/b")); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::io_changed);
  EXPECT_EQ(done.error().context, path("t/b").string());
}

// The moment between asking what a name is and opening it.
TEST_F(NarDump, NeverOpensWhatTookAFilesPlace) {
  const auto replaced_by = [&](std::string_view what, auto make) {
    make_file(path("file"), "mine");
    struct ::stat seen{};
    ASSERT_EQ(::lstat(path("file").c_str(), &seen), 0);
    fs::rename(path("file"), path("moved"));
    make();
    const auto file = resource::open_seen(AT_FDCWD, path("file").native(), seen, path("file"));
    ASSERT_FALSE(file) << what;
    EXPECT_EQ(file.error().code, ErrorCode::io_changed) << what;
    fs::remove(path("file"));
  };
  replaced_by("nothing", [] {});
  replaced_by("another file", [&] { make_file(path("file"), "mine"); });
  replaced_by("a symlink", [&] { fs::create_symlink("moved", path("file")); });
  replaced_by("a directory", [&] { fs::create_directory(path("file")); });
  replaced_by("a pipe, without waiting for its writer",
              [&] { ASSERT_EQ(::mkfifo(path("file").c_str(), 0600), 0); });
}

TEST_F(NarDump, NeverEntersASymlinkThatTookADirectorysPlace) {
  fs::create_directories(path("directory"));
  struct ::stat seen{};
  ASSERT_EQ(::lstat(path("directory").c_str(), &seen), 0);
  fs::rename(path("directory"), path("moved"));
  fs::create_symlink("moved", path("directory"));
  const auto opened =
      resource::open_seen(AT_FDCWD, path("directory").native(), seen, path("directory"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::io_changed);
}

/// Directories of one name inside each other, deeper than paths are long.
void make_deep(const fs::path& root, const std::string& name, int depth) {
  fs::create_directory(root);
  int at = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < depth; ++i) {
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0755), 0);
    const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_GE(next, 0);
    ::close(std::exchange(at, next));
  }
  ::close(at);
}

TEST_F(NarDump, RefusesPathsThatNoArchiveMayHold) {
  make_deep(path("t"), std::string(255, 'n'), 17);
  EXPECT_EQ(code(dump(path("t"))), ErrorCode::nar_too_deep);
  const auto tree = resource::open_directory(AT_FDCWD, path("t").native(), path("t"));
  resource::remove_all_in(*tree);
  EXPECT_TRUE(fs::is_empty(path("t")));
}

TEST_F(NarDump, R11_2_ATreeOfAnyDepthTakesThreeDescriptors) {
  make_deep(path("t"), "d", 2000);
  make_file(path("t/d/e"), "behind it");
  const std::string whole = nix_dump(path("t"));
  {
    const test::LowerLimit few(RLIMIT_NOFILE, test::limit_that_leaves(3));
    const auto nar = dump(path("t"));
    ASSERT_TRUE(nar) << describe(nar.error());
    EXPECT_EQ(*nar == whole, true);
  }
  const auto tree = resource::open_directory(AT_FDCWD, path("t").native(), path("t"));
  resource::remove_all_in(*tree);
}

// On the way back up it is where it was before, or nowhere.
TEST_F(NarDump, NoticesADirectoryThatWasMovedAwayUnderIt) {
  fs::create_directories(path("t/a/b"));
  fs::create_directories(path("elsewhere"));
  make_file(path("t/a/b/file"), std::string(1 << 20, 'x'));
  bool moved = false;
  const Result<void> done = dump_tree(path("t"), [&](Bytes piece) -> Result<void> {
    if (!moved && text_of(piece).find("file") != std::string_view::npos) {
      fs::rename(path("t/a"), path("elsewhere/a"));
      moved = true;
    }
    return {};
  });
  ASSERT_TRUE(moved);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::io_changed);
  EXPECT_EQ(done.error().context, path("t/a").string());
}

// With nothing to look up in it, nobody needs to: not even "..".
TEST_F(NarDump, AnEmptyDirectoryNeedsNoPermissionToLookUpNames) {
  fs::permissions(path(""), static_cast<fs::perms>(0755));
  fs::create_directories(path("t/a/b/empty"));
  fs::permissions(path("t/a/b/empty"), static_cast<fs::perms>(0444));
  const test::AsNobody nobody;
  const auto nar = dump(path("t"));
  EXPECT_TRUE(nar) << describe(nar.error());
}

TEST_F(NarDump, EndsWithTheSinksError) {
  make_file(path("file"), "");
  const Result<void> done = dump_tree(path("file"), [](Bytes) -> Result<void> {
    return std::unexpected(Error{ErrorCode::cancelled, "enough"});
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace chunker
