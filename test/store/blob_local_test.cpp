#include "store/blob_local.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "resource/descriptors.hpp"
#include "support/lower_limit.hpp"
#include "support/temporary_directory.hpp"

// What only blobs in a directory can get wrong; the rest is blob_contract_test.cpp.
namespace chunker::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class LocalBlobs : public ::testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  LocalBlobStore blobs_{directory_.path()};

  const fs::path& root() const { return directory_.path(); }

  void put(std::string_view key, std::string_view text) {
    auto writer = blobs_.create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(bytes_of(text)));
    ASSERT_TRUE((*writer)->commit(key));
  }
  void plant(const fs::path& path, std::string_view text) const {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  Result<std::string> get(std::string_view key, std::size_t size) {
    ByteBuffer bytes(size);
    if (auto read = blobs_.read(key, 0, bytes.span()); !read) return std::unexpected(read.error());
    return std::string(text_of(bytes));
  }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    EXPECT_TRUE(blobs_.list("", [&](const BlobStore::Listed& blob) -> Result<void> {
      found.push_back(blob.key);
      return {};
    }));
    return found;
  }
  std::size_t temporary_count() const {
    if (!fs::exists(root() / "tmp")) return 0;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root() / "tmp"), fs::directory_iterator()));
  }
};

TEST_F(LocalBlobs, ABlobIsAFileAtItsKey) {
  put("packs/ab/abcd", "text");
  std::ifstream file(root() / "packs/ab/abcd");
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, "text");
  EXPECT_EQ(temporary_count(), 0U);
}

TEST_F(LocalBlobs, ReadingWritesNothing) {
  EXPECT_THAT(keys(), ElementsAre());
  EXPECT_FALSE(get("packs/ab/abcd", 1));
  EXPECT_TRUE(fs::is_empty(root()));
}

TEST_F(LocalBlobs, AWriterThatIsDroppedLeavesNoFile) {
  {
    auto writer = blobs_.create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(bytes_of("unfinished")));
    EXPECT_EQ(temporary_count(), 1U);
  }
  EXPECT_EQ(temporary_count(), 0U);
}

TEST_F(LocalBlobs, ForeignFilesAreLeftAlone) {
  put("packs/ab/good", "x");
  plant("README.TXT", "not a key");
  plant("packs/ab/Notes", "not a key");
  plant("tmp/unfinished", "not a blob");
  plant("elsewhere/far", "not ours");
  fs::create_symlink(root() / "elsewhere", root() / "packs/link");
  fs::create_symlink(root() / "elsewhere/far", root() / "packs/ab/far");
  fs::create_directory(root() / "packs/empty");
  EXPECT_THAT(keys(), ElementsAre("elsewhere/far", "packs/ab/good"));
}

TEST_F(LocalBlobs, WhatAKilledWriterLeftIsCleared) {
  put("packs/ab/good", "x");
  plant("tmp/1-1", "unfinished");
  plant("tmp/deep/er", "unfinished");
  ASSERT_TRUE(blobs_.empty_temporary());
  EXPECT_EQ(temporary_count(), 0U);
  EXPECT_THAT(keys(), ElementsAre("packs/ab/good"));
}

TEST_F(LocalBlobs, NothingToClearIsNoError) { EXPECT_TRUE(blobs_.empty_temporary()); }

TEST_F(LocalBlobs, NamesLeftByAKilledWriterAreNotInTheWay) {
  for (int i = 1; i <= 3; ++i) {
    plant("tmp/" + std::to_string(::getpid()) + "-" + std::to_string(i), "left behind");
  }
  put("k", "x");
  EXPECT_EQ(get("k", 1), "x");
  EXPECT_EQ(temporary_count(), 3U);
}

TEST_F(LocalBlobs, MoreBlobsThanDescriptorsAreReadable) {
  const std::size_t count = 3 * LocalBlobStore::kOpenFilesMax;
  for (std::size_t i = 0; i < count; ++i) plant("p/" + std::to_string(i), std::to_string(i));
  const auto open_before = std::distance(fs::directory_iterator("/proc/self/fd"), {});
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(get("p/" + std::to_string(i), std::to_string(i).size()), std::to_string(i));
  }
  const auto open_after = std::distance(fs::directory_iterator("/proc/self/fd"), {});
  EXPECT_LE(open_after - open_before, static_cast<std::ptrdiff_t>(LocalBlobStore::kOpenFilesMax));
}

TEST_F(LocalBlobs, R11_2_WhereDescriptorsAreFewMostAreLeftToOthers) {
  for (int i = 0; i < 40; ++i) plant("p/" + std::to_string(i), "x");
  const test::LowerLimit few(RLIMIT_NOFILE, test::open_descriptors() + 24);
  LocalBlobStore blobs(root());
  std::byte byte{};
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(blobs.read("p/" + std::to_string(i), 0, {&byte, 1}));
  EXPECT_GE(resource::descriptors_left(), 18U);
}

TEST_F(LocalBlobs, ATruncatedBlobIsCorrupt) {
  put("k", "0123456789");
  EXPECT_EQ(get("k", 10), "0123456789");  // Open from now on.
  fs::resize_file(root() / "k", 4);
  const auto read = get("k", 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::store_corrupt);
  EXPECT_EQ(read.error().offset_bytes, 4U);
}

TEST_F(LocalBlobs, ABlobThatVanishesIsNotFound) {
  put("k", "x");
  ASSERT_TRUE(fs::remove(root() / "k"));
  EXPECT_EQ(get("k", 1).error().code, ErrorCode::store_not_found);
}

// A limit on the size of files stands for the full device: the system stops the write half way.
TEST_F(LocalBlobs, AFullDeviceLeavesNothingBehind) {
  put("before", "x");
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 1 << 20;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  {
    auto writer = blobs_.create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(ByteBuffer(1000)));
    const auto full = (*writer)->append(ByteBuffer(2 << 20));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, ErrorCode::io_no_space);
    EXPECT_THAT(full.error().context, HasSubstr((root() / "tmp").string()));
    EXPECT_EQ((*writer)->append(bytes_of("x")).error(), full.error());
    EXPECT_EQ((*writer)->commit("k").error(), full.error());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(keys(), ElementsAre("before"));
  EXPECT_EQ(temporary_count(), 0U);
}

TEST_F(LocalBlobs, ManySmallPartsAreOneWrite) {
  const auto file_bytes = [this] {
    return fs::file_size(fs::directory_iterator(root() / "tmp")->path());
  };
  auto writer = blobs_.create();
  ASSERT_TRUE(writer);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE((*writer)->append(ByteBuffer(500)));
  EXPECT_EQ(file_bytes(), 0U);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE((*writer)->append(ByteBuffer(500)));
  EXPECT_EQ(file_bytes(), 65'500U);  // As many of them as fit into 64 KiB.
  ASSERT_TRUE((*writer)->commit("k"));
  EXPECT_EQ(blobs_.size("k"), 100'000U);
}

TEST_F(LocalBlobs, AFailedCommitLeavesNothingBehind) {
  plant("packs", "a file where a directory is needed");
  {
    auto writer = blobs_.create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(bytes_of("x")));
    const auto failed = (*writer)->commit("packs/ab/abcd");
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().context, HasSubstr((root() / "packs").string()));
  }
  EXPECT_EQ(temporary_count(), 0U);
}

TEST_F(LocalBlobs, AnAbsentRootIsAnError) {
  LocalBlobStore nowhere(root() / "nowhere");
  EXPECT_EQ(nowhere.create().error().code, ErrorCode::io_not_found);
  const auto listed = nowhere.list("", [](const auto&) -> Result<void> { return {}; });
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::io_not_found);
}

}  // namespace
}  // namespace chunker::store
