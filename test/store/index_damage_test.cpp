#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "resource/file.hpp"
#include "store/index.hpp"
#include "store/index_database.hpp"
#include "store/index_format.hpp"
#include "support/digests.hpp"
#include "support/temporary_directory.hpp"

// A damaged index is an error that says how to cure it, wherever the damage is.
namespace chunker::store {
namespace {

using test::digest_of;

using ::testing::AnyOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class IndexDamage : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kChunks = 5000;

  void SetUp() override {
    auto index = Index::open(path(), Index::Access::write);
    ASSERT_TRUE(index) << describe(index.error());
    FrameRecord frame{1000, CodecId::zstd, 0, {}};
    for (std::uint64_t n = 0; n < kChunks; ++n) frame.chunks.push_back({digest_of(n), 1000});
    ASSERT_TRUE((*index)->add_pack("packs/a", 1000, {1, {frame}}));
  }

  fs::path path() const { return directory_.path() / "index"; }

  fs::path file(std::string_view begin, std::string_view end) const {
    for (const auto& entry : fs::directory_iterator(path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with(begin) && name.ends_with(end) && entry.file_size() > 0) return entry;
    }
    ADD_FAILURE() << "no " << begin << "*" << end;
    return {};
  }

  /// Opens the index and asks it everything; the first error, or nothing if all went well.
  std::optional<Error> use(Index::Access access) const {
    const auto index = Index::open(path(), access);
    if (!index) return index.error();
    for (std::uint64_t n = 0; n < kChunks; n += 100) {
      const auto chunk = (*index)->chunk(digest_of(n));
      if (!chunk) return chunk.error();
    }
    std::uint64_t count = 0;
    const auto counted = (*index)->for_each_chunk([&](const auto&) -> Result<void> {
      ++count;
      return {};
    });
    if (!counted) return counted.error();
    EXPECT_EQ(count, kChunks);
    return std::nullopt;
  }

  void expect_damaged(Index::Access access) const {
    const auto error = use(access);
    ASSERT_TRUE(error) << "the damage went unseen";
    EXPECT_EQ(error->code, ErrorCode::store_corrupt) << describe(*error);
    EXPECT_THAT(std::string(error->what), HasSubstr("run chunker rebuild-index"));
    EXPECT_THAT(error->context, HasSubstr(path().string()));
  }
  void expect_damaged() const {
    expect_damaged(Index::Access::read);
    expect_damaged(Index::Access::write);
  }

  void put_entry(const std::string& key, const std::string& value) const {
    const auto database = IndexDatabase::open(path(), true);
    ASSERT_TRUE(database);
    rocksdb::WriteBatch batch;
    batch.Put(key, value);
    ASSERT_TRUE((*database)->write(batch));
  }

  test::TemporaryDirectory directory_;
};

TEST_F(IndexDamage, UndamagedIsFine) {
  EXPECT_EQ(use(Index::Access::read), std::nullopt);
  EXPECT_EQ(use(Index::Access::write), std::nullopt);
}

TEST_F(IndexDamage, TruncatedCurrent) {
  fs::resize_file(path() / "CURRENT", 3);
  expect_damaged();
}

TEST_F(IndexDamage, EmptyCurrent) {
  fs::resize_file(path() / "CURRENT", 0);
  expect_damaged();
}

TEST_F(IndexDamage, MissingCurrentIsNotAFreshStart) {
  fs::remove(path() / "CURRENT");
  expect_damaged();
}

TEST_F(IndexDamage, MissingManifest) {
  fs::remove(file("MANIFEST-", ""));
  expect_damaged();
}

TEST_F(IndexDamage, TruncatedManifest) {
  fs::resize_file(file("MANIFEST-", ""), 20);
  expect_damaged();
}

TEST_F(IndexDamage, MissingTable) {
  fs::remove(file("", ".sst"));
  expect_damaged();
}

TEST_F(IndexDamage, TruncatedTable) {
  const fs::path table = file("", ".sst");
  fs::resize_file(table, fs::file_size(table) / 2);
  expect_damaged();
}

TEST_F(IndexDamage, FlippedBitsInATable) {
  const fs::path table = file("", ".sst");
  std::string bytes(static_cast<std::size_t>(fs::file_size(table)), '\0');
  std::ifstream(table, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  for (std::size_t at = 100; at < bytes.size(); at += 4096)
    bytes[at] = static_cast<char>(~bytes[at]);
  std::ofstream(table, std::ios::binary) << bytes;
  expect_damaged();
}

TEST_F(IndexDamage, AFileWhereTheDirectoryShouldBe) {
  fs::remove_all(path());
  std::ofstream(path()) << "not a directory";
  for (const auto access : {Index::Access::read, Index::Access::write}) {
    const auto opened = Index::open(path(), access);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::io_not_found) << describe(opened.error());
  }
}

TEST_F(IndexDamage, AnotherVersion) {
  put_entry(index_format::setting_key(index_format::kSettingVersion), index_format::encode(2));
  for (const auto access : {Index::Access::read, Index::Access::write}) {
    const auto opened = Index::open(path(), access);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::store_version);
  }
}

TEST_F(IndexDamage, NoVersion) {
  {
    const auto database = IndexDatabase::open(path(), true);
    ASSERT_TRUE(database);
    rocksdb::WriteBatch batch;
    batch.Delete(index_format::setting_key(index_format::kSettingVersion));
    ASSERT_TRUE((*database)->write(batch));
  }
  expect_damaged();
}

TEST_F(IndexDamage, MalformedEntries) {
  const Digest digest = digest_of(1'000'000);
  const std::string ten_bytes_of_varint(10, '\xFF');
  for (const std::string& bad : {std::string(), std::string("\x01"), ten_bytes_of_varint,
                                 std::string(9, '\x01'), std::string(100, '\x01')}) {
    put_entry(index_format::chunk_key(digest), bad);
    put_entry(index_format::manifest_key(digest), bad);
    put_entry(index_format::name_key("bad"), bad);
    put_entry(index_format::pack_key("packs/bad"), bad);
    put_entry(index_format::setting_key(index_format::kSettingSequence), bad + '\x80');
    const auto index = Index::open(path(), Index::Access::read);
    ASSERT_TRUE(index);
    const auto corrupt = [](const auto& result) {
      return !result && result.error().code == ErrorCode::store_corrupt;
    };
    EXPECT_TRUE(corrupt((*index)->chunk(digest))) << bad.size();
    EXPECT_TRUE(corrupt((*index)->chunks({&digest, 1}))) << bad.size();
    EXPECT_TRUE(corrupt((*index)->manifest(digest))) << bad.size();
    EXPECT_TRUE(corrupt((*index)->name("bad"))) << bad.size();
    EXPECT_TRUE(corrupt((*index)->pack("packs/bad"))) << bad.size();
    EXPECT_TRUE(corrupt((*index)->highest_sequence())) << bad.size();
    const auto visit = [](const auto&) -> Result<void> { return {}; };
    EXPECT_TRUE(corrupt((*index)->for_each_chunk(visit)));
    EXPECT_TRUE(corrupt((*index)->for_each_manifest(visit)));
    EXPECT_TRUE(corrupt((*index)->for_each_name(visit)));
    EXPECT_TRUE(corrupt((*index)->for_each_pack(visit)));
  }
}

TEST_F(IndexDamage, KeysOfTheWrongLength) {
  put_entry("Cshort", index_format::encode(ChunkLocation{}));
  put_entry("Mshort", index_format::encode(ManifestLocation{}));
  const auto index = Index::open(path(), Index::Access::read);
  ASSERT_TRUE(index);
  const auto visit = [](const auto&) -> Result<void> { return {}; };
  EXPECT_EQ((*index)->for_each_chunk(visit).error().code, ErrorCode::store_corrupt);
  EXPECT_EQ((*index)->for_each_manifest(visit).error().code, ErrorCode::store_corrupt);
  EXPECT_EQ((*index)->manifests_with_prefix("", 1).error().code, ErrorCode::store_corrupt);
}

TEST_F(IndexDamage, OneSpellingOfALocation) {
  ChunkLocation location{.pack = 1, .payload_offset = 8, .payload_bytes = 100};
  location.frame_raw_bytes = location.chunk_bytes = 500;
  const std::string alone = index_format::encode(location);
  EXPECT_EQ(index_format::decode_chunk(alone), location);
  // The same, with the fields written out that go without saying.
  const auto spelled_out = index_format::decode_chunk(alone + '\0' + index_format::encode(500));
  ASSERT_FALSE(spelled_out);
  EXPECT_EQ(spelled_out.error().code, ErrorCode::store_corrupt);
}

// A limit on the size of files stands for the full device.
TEST_F(IndexDamage, AFullDeviceIsNoSpaceAndHarmsNothing) {
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 64 << 10;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  {
    auto index = Index::open(path(), Index::Access::write);
    ASSERT_TRUE(index);
    FrameRecord frame{1000, CodecId::zstd, 0, {}};
    for (std::uint64_t n = 0; n < kChunks; ++n) frame.chunks.push_back({digest_of(kChunks + n), 1});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const auto added = (*index)->add_pack("packs/b", 1000, {2, {frame}});
    index->reset();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    std::signal(SIGXFSZ, old_handler);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, ErrorCode::io_no_space) << describe(added.error());
    EXPECT_THAT(added.error().context, HasSubstr(path().string()));
  }
  EXPECT_EQ(use(Index::Access::write), std::nullopt);
}

TEST_F(IndexDamage, NoDescriptorLeftIsNotDamage) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()) + 2);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto error = use(Index::Access::write);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::io_too_many_files) << describe(*error);
  EXPECT_EQ(use(Index::Access::write), std::nullopt);
}

}  // namespace
}  // namespace chunker::store
