#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "store/index.hpp"
#include "store/numbered_packs.hpp"
#include "support/digests.hpp"
#include "support/temporary_directory.hpp"

// One writer, many readers, and processes that are killed.
namespace chunker::store {
namespace {

using test::digest_of;

/// What an index must look like at any moment: packs 0 to n - 1 whole, and nothing of others. Returns n.
std::uint64_t check_whole(const Index& index) {
  const std::uint64_t packs = index.highest_sequence().value_or(0);
  std::uint64_t chunks = 0;
  const auto counted = index.for_each_chunk([&](const auto&) -> Result<void> {
    ++chunks;
    return {};
  });
  EXPECT_TRUE(counted) << describe(counted.error());
  EXPECT_EQ(chunks, packs * kChunksPerPack);
  for (std::uint64_t n = 0; n < packs * kChunksPerPack; n += 37) {
    const auto found = index.chunk(digest_of(n));
    EXPECT_TRUE(found && *found) << n;
  }
  return packs;
}

TEST(IndexSharing, AReaderSeesWhatWasThereWhenItOpened) {
  const test::TemporaryDirectory directory;
  const auto writer = Index::open(directory.path() / "index", Index::Access::write);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(add_pack(**writer, 0));
  const auto reader = Index::open(directory.path() / "index", Index::Access::read);
  ASSERT_TRUE(reader) << describe(reader.error());
  ASSERT_TRUE(add_pack(**writer, 1));
  ASSERT_TRUE((*writer)->flush());
  EXPECT_EQ(check_whole(**reader), 1U);
  const auto later = Index::open(directory.path() / "index", Index::Access::read);
  ASSERT_TRUE(later);
  EXPECT_EQ(check_whole(**later), 2U);
}

TEST(IndexSharing, AReaderOutlivesTheFilesItOpened) {
  const test::TemporaryDirectory directory;
  const auto writer = Index::open(directory.path() / "index", Index::Access::write);
  ASSERT_TRUE(writer);
  for (std::uint64_t pack = 0; pack < 3; ++pack) {
    ASSERT_TRUE(add_pack(**writer, pack));
    ASSERT_TRUE((*writer)->flush());
  }
  const auto reader = Index::open(directory.path() / "index", Index::Access::read);
  ASSERT_TRUE(reader);
  for (std::uint64_t pack = 3; pack < 20; ++pack) {  // Compacts several times.
    ASSERT_TRUE(add_pack(**writer, pack));
    ASSERT_TRUE((*writer)->flush());
  }
  EXPECT_EQ(check_whole(**reader), 3U);
}

TEST(IndexSharing, ReadersOpenWhileTheWriterFlushesAndCompacts) {
  const test::TemporaryDirectory directory;
  const auto writer = Index::open(directory.path() / "index", Index::Access::write);
  ASSERT_TRUE(writer);
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> added = 0;
  std::thread writing([&] {
    for (std::uint64_t pack = 0; pack < 150; ++pack) {
      EXPECT_TRUE(add_pack(**writer, pack));
      added = pack + 1;
      if (pack % 3 == 0) {
        EXPECT_TRUE((*writer)->flush());
      }
    }
    done = true;
  });
  int opened = 0;
  while (!done) {
    const std::uint64_t added_before = added;
    const auto reader = Index::open(directory.path() / "index", Index::Access::read);
    ASSERT_TRUE(reader) << describe(reader.error());
    // Nothing that was there before may be missing.
    EXPECT_GE(check_whole(**reader), added_before);
    ++opened;
  }
  writing.join();
  EXPECT_GT(opened, 0);
}

TEST(IndexSharing, ThreadsReadWhileOneWrites) {
  const test::TemporaryDirectory directory;
  const auto index = Index::open(directory.path() / "index", Index::Access::write);
  ASSERT_TRUE(index);
  std::atomic<std::uint64_t> added = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (added < 50) {
        const std::uint64_t sure = added * kChunksPerPack;
        std::vector<Digest> asked;
        for (std::uint64_t n = 0; n < sure; n += 11) asked.push_back(digest_of(n));
        const auto found = (*index)->chunks(asked);
        ASSERT_TRUE(found);
        for (const auto& location : *found) EXPECT_TRUE(location);
      }
    });
  }
  for (std::uint64_t pack = 0; pack < 50; ++pack) {
    EXPECT_TRUE(add_pack(**index, pack));
    added = pack + 1;
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(check_whole(**index), 50U);
}

TEST(IndexSharing, ThreadsThatAddPacksGetDifferentNumbers) {
  const test::TemporaryDirectory directory;
  const auto index = Index::open(directory.path() / "index", Index::Access::write);
  ASSERT_TRUE(index);
  std::vector<std::thread> writers;
  for (std::uint64_t t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 20; ++i) EXPECT_TRUE(add_pack(**index, 4 * i + t));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(check_whole(**index), 80U);
  std::vector<PackNumber> numbers;
  ASSERT_TRUE((*index)->for_each_pack([&](const PackEntry& pack) -> Result<void> {
    numbers.push_back(pack.number);
    return {};
  }));
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
  EXPECT_EQ(numbers.size(), 80U);
}

/// Lets index_victim.cpp write until it added `packs` packs, and kills it.
void run_victim(const std::filesystem::path& index, std::uint64_t packs) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(told[1], STDOUT_FILENO);
    ::execl(INDEX_VICTIM, INDEX_VICTIM, index.c_str(), nullptr);
    ::_exit(1);
  }
  ::close(told[1]);
  char byte = 0;
  for (std::uint64_t i = 0; i < packs; ++i) ASSERT_EQ(::read(told[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(told[0]);
}

TEST(IndexSharing, AKilledWriterLeavesWholePacks) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "index";
  std::uint64_t packs_before = 0;
  for (std::uint64_t round = 0; round < 5; ++round) {
    const std::uint64_t packs_added = 3 + 4 * round;
    run_victim(path, packs_added);
    // A reader first: it must cope with what the killed one left.
    std::uint64_t packs_seen = 0;
    for (const auto access : {Index::Access::read, Index::Access::write}) {
      const auto index = Index::open(path, access);
      ASSERT_TRUE(index) << describe(index.error());
      packs_seen = check_whole(**index);
      EXPECT_GE(packs_seen, packs_before + packs_added);
    }
    packs_before = packs_seen;
  }
}

}  // namespace
}  // namespace chunker::store
