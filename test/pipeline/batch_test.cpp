#include "chunker/batch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "pipeline/file_chunks.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;

class Batch : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, const std::string& bytes) {
    const auto path = directory_.path() / name;
    test::write_file(path, bytes);
    return path;
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Batch, R6_1_R6_4_ChunksFilesSideBySideLikeOneByOne) {
  std::vector<std::filesystem::path> paths;
  std::map<std::filesystem::path, std::string> contents;
  for (std::uint64_t i = 0; i < 9; ++i) {
    const std::string bytes = random_bytes(i, 100'003 * i);
    const std::string nar = i % 2 == 0 ? bytes : test::make_nar({{"f", bytes}});
    paths.push_back(file("f" + std::to_string(i), nar));
    contents[paths.back()] = nar;
  }
  for (const unsigned threads : {1U, 4U}) {
    auto batch = batch_chunk_files(paths, test::small_chunks().chunking, {.threads = threads});
    ASSERT_OK(batch);
    std::size_t count = 0;
    while (auto result = batch->next()) {
      ++count;
      ASSERT_OK(result->chunks);
      const std::string& bytes = contents.at(result->path);
      const FileChunks& file = *result->chunks;
      ASSERT_EQ(file.extents.size(), file.digests.size());
      std::uint64_t offset = 0;
      for (std::size_t i = 0; i < file.extents.size(); ++i) {
        EXPECT_EQ(file.extents[i].offset_bytes, offset);
        const auto chunk = std::string_view(bytes).substr(offset, file.extents[i].size_bytes);
        EXPECT_EQ(file.digests[i], HashAlgorithm::blake3().hash(bytes_of(chunk)));
        offset += file.extents[i].size_bytes;
      }
      EXPECT_EQ(offset, bytes.size());
      EXPECT_EQ(file.bytes, bytes.size());
      EXPECT_EQ(file.is_nar, bytes.starts_with(kNarMagic));
    }
    EXPECT_EQ(count, paths.size());
  }
}

// Nobody reads the second pipe before the first one ends, unless both are read at once.
TEST_F(Batch, R6_1_FilesAreReadAtTheSameTime) {
  std::vector<std::filesystem::path> paths;
  for (const char* name : {"a", "b"}) {
    paths.push_back(directory_.path() / name);
    ASSERT_EQ(::mkfifo(paths.back().c_str(), 0600), 0);
  }
  auto batch = batch_chunk_files(paths, test::small_chunks().chunking, {.threads = 2});
  ASSERT_OK(batch);
  std::vector<int> writers;
  for (const auto& path : paths) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    int writer = -1;
    while (writer < 0 && std::chrono::steady_clock::now() < until) {
      writer = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);  // Fails without a reader.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_GE(writer, 0) << path << " is not being read";
    writers.push_back(writer);
  }
  for (const int writer : writers) {
    if (writer < 0) continue;
    EXPECT_EQ(::write(writer, "x", 1), 1);
    ::close(writer);
  }
  if (testing::Test::HasFailure()) return;
  for (std::size_t i = 0; i < paths.size(); ++i) ASSERT_OK(batch->next()->chunks);
}

TEST_F(Batch, R6_4_OneSetOfOptionsAndOneBufferServeManyFiles) {
  const auto chunking = test::small_chunks().chunking;
  auto cut = pipeline::FileCut::make(chunking, {.threads = 1});
  auto again = pipeline::FileCut::make(chunking, {.threads = 1});
  ASSERT_OK(cut);
  ASSERT_OK(again);
  EXPECT_EQ(cut->chunking, again->chunking);  // With the gear table, masks and sizes, checked once.
  pipeline::ProgressMeter progress({}, 3, 0);
  ByteBuffer buffer;
  const std::byte* kept = nullptr;
  for (const std::string name : {"a", "b", "c"}) {
    const auto path = file(name, random_bytes(name.front() == 'b' ? 1 : 2, 3'000'000));
    ASSERT_OK(pipeline::chunk_file(path, *cut, buffer, progress, [] { return 1U; }));
    ASSERT_NE(buffer.data(), nullptr);
    EXPECT_EQ(buffer.data(), kept == nullptr ? buffer.data() : kept);
    kept = buffer.data();
  }
}

TEST_F(Batch, R16_1_R16_3_R16_6_ProfilesSayWhatIsInEachChunkIfAsked) {
  const std::string contents[] = {
      "\x7f"
      "ELF" +
          std::string(400'000, '\0'),
      random_bytes(1, 2'000'000)};
  const auto path = file("f", test::make_nar({{"a", contents[0]}, {"b", contents[1]}}));
  auto batch = batch_chunk_files({path}, test::small_chunks().chunking, {.profile_contents = true});
  ASSERT_OK(batch);
  const auto result = batch->next();
  ASSERT_OK(result->chunks);
  const FileChunks& chunked = *result->chunks;
  ASSERT_EQ(chunked.profiles.size(), chunked.extents.size());
  const auto of_first_chunk_in = [&](const NarEntry& entry) {
    const auto found =
        std::ranges::find(chunked.extents, entry.offset_bytes, &ChunkExtent::offset_bytes);
    return chunked.profiles.at(static_cast<std::size_t>(found - chunked.extents.begin()));
  };
  const ContentProfile elf = of_first_chunk_in(chunked.entries.at(1));
  EXPECT_EQ(elf.format, ContentFormat::elf);
  EXPECT_TRUE(elf.run_length);
  EXPECT_LT(elf.entropy_estimate, 0.1F);
  const ContentProfile noise = of_first_chunk_in(chunked.entries.at(2));
  EXPECT_EQ(noise.type, ContentType::compressed);
  EXPECT_GE(noise.entropy_estimate, kIncompressibleEntropy);
  EXPECT_FALSE(noise.run_length);

  auto without = batch_chunk_files({path}, test::small_chunks().chunking, {});
  ASSERT_OK(without);
  EXPECT_TRUE(without->next()->chunks->profiles.empty());
}

TEST_F(Batch, TakesReferencesOutFirstIfAsked) {
  const std::string before = random_bytes(1, 5'000) + "/nix/store/";
  const std::string behind = "-sed/bin/sed" + random_bytes(2, 5'000);
  const auto a = file("a", before + std::string(32, 'a') + behind);
  const auto b = file("b", before + std::string(32, 'b') + behind);
  for (const std::string& prefix : {std::string(), std::string("/nix/store/")}) {
    std::vector<FileChunks> files;
    for (const auto& path : {a, b}) {
      auto batch =
          batch_chunk_files({path}, test::small_chunks().chunking, {.store_prefix = prefix});
      ASSERT_OK(batch);
      const auto result = batch->next();
      ASSERT_OK(result->chunks);
      files.push_back(*result->chunks);
      EXPECT_EQ(files.back().references.positions.size(), prefix.empty() ? 0U : 1U);
    }
    EXPECT_EQ(files[0].digests == files[1].digests, !prefix.empty());
  }
  EXPECT_EQ(batch_chunk_files({a}, {}, {.store_prefix = "nix"}).error().code,
            ErrorCode::invalid_argument);
}

TEST_F(Batch, R6_2_ResultsComeBeforeTheBatchIsDone) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 50; ++i) paths.push_back(file(std::to_string(i), random_bytes(1, 1000)));
  auto batch = batch_chunk_files(paths, {}, {.threads = 2, .results_max = 3});
  ASSERT_OK(batch);
  ASSERT_TRUE(batch->next());
  // Three wait, and each of two workers may hold one more.
  EXPECT_LE(batch->progress().files_completed, 1U + 3U + 2U);
  std::size_t count = 1;
  while (batch->next()) ++count;
  EXPECT_EQ(count, paths.size());
}

TEST_F(Batch, R11_5_WhoTakesNoResultsKeepsTheThreadsWaiting) {
  std::vector<std::filesystem::path> paths;
  for (std::uint64_t i = 0; i < 40; ++i) {
    paths.push_back(file("f" + std::to_string(i), random_bytes(i, 1000)));
  }
  auto batch = batch_chunk_files(paths, {}, {.threads = 4, .results_max = 3});
  ASSERT_OK(batch);
  for (int i = 0; i < 2000 && batch->progress().files_completed < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(batch->progress().files_completed, 3U);
  std::size_t count = 0;
  while (batch->next()) ++count;
  EXPECT_EQ(count, paths.size());
}

TEST_F(Batch, R6_3_ABadFileIsReportedAndTheRestGoOn) {
  const std::string nar = test::make_nar({{"f", random_bytes(1, 50'000)}});
  auto batch = batch_chunk_files(
      {file("good", nar), directory_.path() / "absent",
       file("truncated", nar.substr(0, nar.size() / 2)), directory_.path(), file("good2", nar)},
      {});
  ASSERT_OK(batch);
  std::map<std::string, std::optional<ErrorCode>> codes;
  while (auto result = batch->next()) {
    const std::string name = result->path.filename().string();
    codes[name] = std::nullopt;
    if (result->chunks) continue;
    codes[name] = result->chunks.error().code;
    EXPECT_NE(result->chunks.error().context.find(name), std::string::npos);
  }
  EXPECT_EQ(codes.at("good"), std::nullopt);
  EXPECT_EQ(codes.at("good2"), std::nullopt);
  EXPECT_EQ(codes.at("absent"), ErrorCode::io_not_found);
  EXPECT_EQ(codes.at("truncated"), ErrorCode::nar_truncated);
  EXPECT_NE(codes.at(directory_.path().filename().string()), std::nullopt);
}

TEST_F(Batch, R6_6_ReportsProgressOfMoreThanAHundredFiles) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 130; ++i) paths.push_back(file(std::to_string(i), random_bytes(1, 1001)));
  auto batch = batch_chunk_files(paths, {});
  ASSERT_OK(batch);
  EXPECT_EQ(batch->progress().files_total, 130U);
  while (batch->next()) {
  }
  const Progress progress = batch->progress();
  EXPECT_EQ(progress.files_completed, 130U);
  EXPECT_EQ(progress.bytes_processed, 130U * 1001U);
  EXPECT_GT(progress.elapsed_seconds, 0.0);
}

TEST_F(Batch, R6_5_EachDistinctChunkOfTheBatchIsNewOnce) {
  const std::string shared = random_bytes(1, 300'000), own = random_bytes(2, 100'000);
  const std::vector<std::filesystem::path> paths = {
      file("a", test::make_nar({{"f", shared}})),
      file("b", test::make_nar({{"f", shared}, {"g", own}})),
      file("c", test::make_nar({{"g", own}, {"h", shared}})),
      file("bad", "no NAR, but a file like any other"), directory_.path() / "absent"};
  std::size_t repeats = 0;
  std::map<Digest, int> new_count;
  auto batch =
      batch_chunk_files(paths, test::small_chunks().chunking, {.threads = 2, .deduplicate = true});
  ASSERT_OK(batch);
  while (auto result = batch->next()) {
    if (!result->chunks) continue;
    const FileChunks& file = *result->chunks;
    ASSERT_EQ(file.repeats.size(), file.digests.size());
    for (std::size_t i = 0; i < file.digests.size(); ++i) {
      // A repeat is of something that was given out before.
      if (file.repeats[i]) {
        EXPECT_EQ(new_count[file.digests[i]], 1);
        ++repeats;
      } else {
        ++new_count[file.digests[i]];
      }
    }
  }
  EXPECT_GT(repeats, 40U);  // 300 kB twice and 100 kB once, in chunks of 8 KiB.
  for (const auto& [digest, count] : new_count) EXPECT_EQ(count, 1);
}

TEST_F(Batch, R6_5_IsLeftOutUnlessAskedFor) {
  auto batch = batch_chunk_files({file("a", random_bytes(1, 1000))}, {});
  ASSERT_OK(batch);
  const auto result = batch->next();
  ASSERT_TRUE(result);
  ASSERT_OK(result->chunks);
  EXPECT_TRUE(result->chunks->repeats.empty());
}

TEST_F(Batch, R5_2_ARunOfZerosIsHashedOnce) {
  std::atomic<int> calls = 0;
  auto counting = HashAlgorithm::custom("counting", [&](Bytes bytes) {
    ++calls;
    return HashAlgorithm::blake3().hash(bytes);
  });
  ASSERT_OK(counting);
  auto batch = batch_chunk_files({file("zeros", std::string(900'000, '\0'))},
                                 test::small_chunks().chunking, {.hash = *counting, .threads = 1});
  ASSERT_OK(batch);
  const auto result = batch->next();
  ASSERT_TRUE(result);
  ASSERT_OK(result->chunks);
  EXPECT_GT(result->chunks->digests.size(), 20U);
  EXPECT_LE(calls, 2);  // All chunks but the last have the same length.
}

TEST_F(Batch, CanBeGivenUpAtAnyTime) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 100; ++i) paths.push_back(file(std::to_string(i), random_bytes(1, 100'000)));
  for (int taken = 0; taken < 3; ++taken) {
    auto batch = batch_chunk_files(paths, {}, {.threads = 2, .results_max = 1});
    ASSERT_OK(batch);
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(batch->next());
  }
}

TEST_F(Batch, AnEmptyBatchEndsAtOnce) {
  auto batch = batch_chunk_files({}, {});
  ASSERT_OK(batch);
  EXPECT_FALSE(batch->next());
}

}  // namespace
}  // namespace chunker
