#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/try.hpp"
#include "store/blob_failing.hpp"
#include "store/blob_local.hpp"
#include "store/blob_memory.hpp"
#include "support/temporary_directory.hpp"

// What every blob store promises (src/store/blob.hpp). A new one is one row at the end of this file.
namespace chunker::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<BlobStore>(const std::filesystem::path& fresh_directory)> make;
};

class BlobContract : public ::testing::TestWithParam<Kind> {
 protected:
  BlobStore& blobs() { return *blobs_; }

  void put(std::string_view key, std::string_view text) {
    auto writer = blobs().create();
    ASSERT_TRUE(writer) << describe(writer.error());
    ASSERT_TRUE((*writer)->append(bytes_of(text)));
    const auto committed = (*writer)->commit(key);
    ASSERT_TRUE(committed) << describe(committed.error());
  }

  std::string get(std::string_view key) {
    const auto size = blobs().size(key);
    if (!size) return std::string(name(size.error().code));
    ByteBuffer bytes(static_cast<std::size_t>(*size));
    const auto read = blobs().read(key, 0, bytes.span());
    if (!read) return std::string(name(read.error().code));
    return std::string(text_of(bytes));
  }

  std::vector<std::string> keys(std::string_view prefix) {
    std::vector<std::string> found;
    const auto listed = blobs().list(prefix, [&](const BlobStore::Listed& blob) -> Result<void> {
      found.push_back(blob.key);
      return {};
    });
    EXPECT_TRUE(listed) << describe(listed.error());
    return found;
  }

 private:
  test::TemporaryDirectory directory_;
  std::unique_ptr<BlobStore> blobs_ = GetParam().make(directory_.path());
};

TEST_P(BlobContract, GivesBackWhatWasCommitted) {
  put("packs/ab/abcd", "some bytes");
  EXPECT_EQ(get("packs/ab/abcd"), "some bytes");
  EXPECT_EQ(blobs().size("packs/ab/abcd"), 10U);
}

TEST_P(BlobContract, JoinsWhatWasAppended) {
  auto writer = blobs().create();
  ASSERT_TRUE(writer);
  for (const std::string_view part : {"one ", "", "two ", "three"}) {
    ASSERT_TRUE((*writer)->append(bytes_of(part)));
  }
  ASSERT_TRUE((*writer)->commit("joined"));
  EXPECT_EQ(get("joined"), "one two three");
}

TEST_P(BlobContract, JoinsPartsOfAllSizesInOrder) {
  auto writer = blobs().create();
  ASSERT_TRUE(writer);
  std::string expected;
  // Around the size up to which small parts may be gathered, before and behind such parts.
  for (const std::size_t size :
       {1U, 65535U, 65536U, 2U, 65537U, 3U, 200'000U, 40'000U, 40'000U, 7U}) {
    const std::string part(size, static_cast<char>('a' + expected.size() % 26));
    ASSERT_TRUE((*writer)->append(bytes_of(part)));
    expected += part;
  }
  ASSERT_TRUE((*writer)->commit("joined"));
  EXPECT_EQ(get("joined"), expected);
}

TEST_P(BlobContract, KeepsEmptyAndLargeBlobs) {
  put("empty", "");
  EXPECT_EQ(get("empty"), "");
  const std::string large(20 << 20, 'x');  // Over the size at which writing back begins.
  put("large", large);
  EXPECT_EQ(get("large"), large);
}

TEST_P(BlobContract, ReadsRanges) {
  put("k", "0123456789");
  ByteBuffer bytes(4);
  ASSERT_TRUE(blobs().read("k", 3, bytes.span()));
  EXPECT_EQ(text_of(bytes), "3456");
  ASSERT_TRUE(blobs().read("k", 6, bytes.span()));
  EXPECT_EQ(text_of(bytes), "6789");
  EXPECT_TRUE(blobs().read("k", 10, {}));
}

TEST_P(BlobContract, AShortBlobIsCorruptNotShort) {
  put("k", "0123456789");
  ByteBuffer bytes(4);
  for (const std::uint64_t offset : {std::uint64_t{7}, std::uint64_t{10}, std::uint64_t{1000},
                                     ~std::uint64_t{0}, ~std::uint64_t{0} - 3}) {
    const auto read = blobs().read("k", offset, bytes.span());
    ASSERT_FALSE(read) << offset;
    EXPECT_EQ(read.error().code, ErrorCode::store_corrupt);
    EXPECT_THAT(read.error().context, HasSubstr("k"));
  }
}

TEST_P(BlobContract, AbsentIsNotFoundAndNamesTheKey) {
  put("packs/ab/there", "x");
  for (const std::string_view key : {"packs/ab/absent", "packs", "packs/ab", "none/at/all"}) {
    std::byte one{};
    const auto read = blobs().read(key, 0, {&one, 1});
    ASSERT_FALSE(read) << key;
    EXPECT_EQ(read.error().code, ErrorCode::store_not_found) << describe(read.error());
    EXPECT_THAT(read.error().context, HasSubstr(std::string(key)));
    const auto size = blobs().size(key);
    ASSERT_FALSE(size) << key;
    EXPECT_EQ(size.error().code, ErrorCode::store_not_found) << describe(size.error());
    EXPECT_TRUE(blobs().remove(key)) << key;
  }
  EXPECT_EQ(get("packs/ab/there"), "x");
}

TEST_P(BlobContract, WithoutCommitThereIsNothing) {
  {
    auto writer = blobs().create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(bytes_of("unfinished")));
    EXPECT_THAT(keys(""), IsEmpty());
  }
  EXPECT_THAT(keys(""), IsEmpty());
}

TEST_P(BlobContract, ReplacesAsAWhole) {
  put("k", "a longer text than the next");
  EXPECT_EQ(get("k"), "a longer text than the next");
  put("k", "short");
  EXPECT_EQ(get("k"), "short");
  EXPECT_THAT(keys(""), ElementsAre("k"));
}

TEST_P(BlobContract, CommitIsTheLastCall) {
  auto writer = blobs().create();
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->commit("k"));
  EXPECT_EQ((*writer)->append(bytes_of("x")).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ((*writer)->commit("l").error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(keys(""), ElementsAre("k"));
}

TEST_P(BlobContract, ListsByPrefixInOrderOfKeys) {
  // Bytewise, '-' and '.' come before '/', which a walk over directories gets wrong easily.
  const std::vector<std::string> sorted = {"a-b/c", "a.b", "a/b",    "a/b-c/d",
                                           "a/c",   "a0",  "b/x/y/z"};
  for (auto key = sorted.rbegin(); key != sorted.rend(); ++key) put(*key, *key);
  EXPECT_EQ(keys(""), sorted);
  EXPECT_THAT(keys("a/"), ElementsAre("a/b", "a/b-c/d", "a/c"));
  EXPECT_THAT(keys("a/b"), ElementsAre("a/b", "a/b-c/d"));
  EXPECT_THAT(keys("a/b-c/"), ElementsAre("a/b-c/d"));
  EXPECT_THAT(keys("b/x"), ElementsAre("b/x/y/z"));
  EXPECT_THAT(keys("b/x/y/z"), ElementsAre("b/x/y/z"));
  EXPECT_THAT(keys("b/x/y/z/"), IsEmpty());
  EXPECT_THAT(keys("c"), IsEmpty());
  EXPECT_THAT(keys("../"), IsEmpty());
}

TEST_P(BlobContract, ListsSizes) {
  put("p/a", "1");
  put("p/b", "22");
  std::vector<BlobStore::Listed> found;
  ASSERT_TRUE(blobs().list("p/", [&](const BlobStore::Listed& blob) -> Result<void> {
    found.push_back(blob);
    return {};
  }));
  EXPECT_EQ(found, (std::vector<BlobStore::Listed>{{"p/a", 1}, {"p/b", 2}}));
}

TEST_P(BlobContract, AVisitorStopsTheList) {
  for (const std::string_view key : {"a", "b", "c"}) put(key, "x");
  std::vector<std::string> seen;
  const auto listed = blobs().list("", [&](const BlobStore::Listed& blob) -> Result<void> {
    seen.push_back(blob.key);
    if (blob.key == "b") return base::fail(ErrorCode::cancelled, "enough");
    return {};
  });
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::cancelled);
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

TEST_P(BlobContract, AVisitorMayUseTheStore) {
  for (const std::string_view key : {"p/a", "p/b", "p/c"}) put(key, "x");
  EXPECT_TRUE(blobs().list("p/", [&](const BlobStore::Listed& blob) -> Result<void> {
    EXPECT_EQ(get(blob.key), "x");
    return blobs().remove(blob.key);
  }));
  EXPECT_THAT(keys(""), IsEmpty());
}

TEST_P(BlobContract, RemovesAndForgets) {
  put("p/k", "x");
  EXPECT_EQ(get("p/k"), "x");
  ASSERT_TRUE(blobs().remove("p/k"));
  EXPECT_EQ(get("p/k"), "store_not_found");
  EXPECT_THAT(keys(""), IsEmpty());
  EXPECT_TRUE(blobs().remove("p/k"));
  put("p/k", "again");
  EXPECT_EQ(get("p/k"), "again");
}

TEST_P(BlobContract, R13_6_ChunksLieUnderThePrefixOfTheirHash) {
  const std::string hex = "abcdef01" + std::string(56, '7');
  put("chunks/ab/" + hex, "a chunk");
  put("packs/ab/" + hex, "a pack");
  EXPECT_EQ(get("chunks/ab/" + hex), "a chunk");
  EXPECT_THAT(keys("chunks/ab/"), ElementsAre("chunks/ab/" + hex));
  EXPECT_THAT(keys("packs/"), ElementsAre("packs/ab/" + hex));
}

TEST_P(BlobContract, R13_6_OnlyKeysAreAccepted) {
  const std::string longest(kBlobKeyCharactersMax, 'k');
  for (const std::string& key : {std::string("a"), std::string("..a/.b/c..d_e-9"), longest}) {
    put(key, key);
    EXPECT_EQ(get(key), key);
  }
  const std::vector<std::string> bad = {
      "",    "/",     "/a",       "a/",          "a//b",
      ".",   "..",    "../a",     "a/../b",      "a/./b",
      "A",   "a b",   "a\\b",     "a\nb",        "a:b",
      "tmp", "tmp/a", "\xC3\xA4", longest + "k", std::string("a\0b", 3)};
  for (const std::string& key : bad) {
    std::byte one{};
    EXPECT_EQ(blobs().read(key, 0, {&one, 1}).error().code, ErrorCode::invalid_argument) << key;
    EXPECT_EQ(blobs().size(key).error().code, ErrorCode::invalid_argument) << key;
    EXPECT_EQ(blobs().remove(key).error().code, ErrorCode::invalid_argument) << key;
    EXPECT_EQ(blobs().rename(key, "k").error().code, ErrorCode::invalid_argument) << key;
    EXPECT_EQ(blobs().rename("k", key).error().code, ErrorCode::invalid_argument) << key;
    auto writer = blobs().create();
    ASSERT_TRUE(writer);
    EXPECT_EQ((*writer)->commit(key).error().code, ErrorCode::invalid_argument) << key;
  }
  EXPECT_EQ(keys("").size(), 3U);
}

TEST_P(BlobContract, ARenamedBlobIsOnlyUnderItsNewKey) {
  put("packs/ab/abcd", "some bytes");
  put("aside/abcd", "older");
  EXPECT_EQ(get("packs/ab/abcd"), "some bytes");
  ASSERT_TRUE(blobs().rename("packs/ab/abcd", "aside/abcd"));
  EXPECT_EQ(get("packs/ab/abcd"), "store_not_found");
  EXPECT_EQ(get("aside/abcd"), "some bytes");
  EXPECT_THAT(keys(""), ElementsAre("aside/abcd"));
  EXPECT_EQ(blobs().rename("packs/ab/abcd", "k").error().code, ErrorCode::store_not_found);
  put("packs/ab/abcd", "new");
  EXPECT_EQ(get("packs/ab/abcd"), "new");
}

TEST_P(BlobContract, ThreadsWriteReadListAndRemoveAtOnce) {
  constexpr int kThreads = 4, kBlobs = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kBlobs; ++i) {
        const std::string own = "d" + std::to_string(i % 5) + "/" + std::to_string(t);
        put(own, own);
        EXPECT_EQ(get(own), own);
        put("common", "always the same");
        EXPECT_EQ(get("common"), "always the same");
        EXPECT_FALSE(keys("").empty());
        EXPECT_TRUE(blobs().remove(own));
        EXPECT_EQ(get(own), "store_not_found");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(keys(""), ElementsAre("common"));
}

TEST_P(BlobContract, WhatWasReplacedNeverComesBack) {
  put("k", "0");
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      std::byte first{};
      while (!done) EXPECT_TRUE(blobs().read("k", 0, {&first, 1}));
    });
  }
  for (int i = 1; i <= 50; ++i) {
    const std::string text = std::to_string(i);
    put("k", text);
    ASSERT_EQ(get("k"), text);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

INSTANTIATE_TEST_SUITE_P(
    All, BlobContract,
    ::testing::Values(
        Kind{"local", [](const auto& path) { return std::make_unique<LocalBlobStore>(path); }},
        Kind{"memory", [](const auto&) { return std::make_unique<MemoryBlobStore>(); }},
        Kind{"never_failing",
             [](const auto&) {
               return std::make_unique<FailingBlobStore>(std::make_unique<MemoryBlobStore>());
             }}),
    [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace chunker::store
