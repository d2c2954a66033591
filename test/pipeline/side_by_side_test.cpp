#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.hpp"
#include "chunker/batch.hpp"
#include "cut/candidates.hpp"
#include "pipeline/chunked_nar.hpp"
#include "pipeline/resolved_options.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;

// Like chunk(), but the cutter's candidates of most pieces are found beforehand.
Result<std::vector<ChunkExtent>> chunk_foreseen(const Recipe& recipe, std::string_view bytes,
                                                const PieceSize& piece_size) {
  const auto options = ChunkingOptions{recipe}.resolve().value();
  NarAwareChunker chunker(options);
  std::vector<ChunkExtent> chunks;
  cut::Candidates candidates;
  for (std::size_t seen = 0; seen != bytes.size();) {
    const std::string piece(bytes.substr(seen, piece_size()));
    seen += piece.size();
    candidates = {};
    if (piece.size() % 5 != 4) options->parts().cutter.find_candidates(bytes_of(piece), candidates);
    if (auto fed = chunker.feed(bytes_of(piece), chunks, candidates); !fed) {
      return std::unexpected(fed.error());
    }
  }
  if (auto end = chunker.finish(chunks); !end) return std::unexpected(end.error());
  return chunks;
}

TEST(SideBySide, R8_4_CandidatesChangeNoChunkInAnyModeOfAnyNar) {
  for (const auto* vectors : {&vectors(), &landmark_vectors()}) {
    for (const Json& row : vectors->json["folded"]) {
      const Recipe recipe = cut::recipe_of(row);
      for (std::size_t i = 0; i < vectors->nars.size(); ++i) {
        const std::string& nar = vectors->nars[i];
        const auto expected = chunk(recipe, nar, all_at_once())->chunks;
        ASSERT_EQ(chunk_foreseen(recipe, nar, all_at_once()).value(), expected) << row << i;
        ASSERT_EQ(chunk_foreseen(recipe, nar, random_pieces(i)).value(), expected) << row << i;
      }
    }
  }
}

class BigFile : public testing::Test {
 protected:
  Result<FileChunks> chunk_with(unsigned threads, const std::string& bytes,
                                BatchOptions options = {}) {
    const auto path = directory_.path() / "big";
    test::write_file(path, bytes);
    options.threads = threads;
    CHUNKER_TRY(auto batch, batch_chunk_files({path}, chunking_, std::move(options)));
    auto result = batch.next();
    if (result->chunks) {
      EXPECT_EQ(batch.progress().bytes_processed, bytes.size());
    }
    return std::move(result->chunks);
  }

  void expect_same(const std::string& bytes, const BatchOptions& options = {}) {
    const auto alone = chunk_with(1, bytes, options);
    ASSERT_OK(alone);
    EXPECT_TRUE(validate_chunks(alone->extents, bytes.size()));
    for (const unsigned threads : {2U, 7U}) {
      const auto together = chunk_with(threads, bytes, options);
      ASSERT_OK(together);
      EXPECT_EQ(together->bytes, bytes.size());
      EXPECT_EQ(together->is_nar, alone->is_nar);
      EXPECT_EQ(together->extents, alone->extents);
      EXPECT_EQ(together->digests, alone->digests);
      EXPECT_EQ(together->entries, alone->entries);
      EXPECT_EQ(together->references.positions, alone->references.positions);
      EXPECT_EQ(together->profiles.size(), alone->profiles.size());
    }
  }

  test::TemporaryDirectory directory_;
  ChunkingOptions chunking_ = test::small_chunks().chunking;
};

constexpr std::size_t kMiB = 1 << 20;

// One thread has the first 8 MiB; slabs of 4 MiB follow.
TEST_F(BigFile, R8_4_R6_1_GivesTheSameChunksOnAnyNumberOfThreads) {
  const std::string noise = random_bytes(1, 16 * kMiB + 1);
  for (const std::size_t size : {8 * kMiB - 1, 8 * kMiB, 8 * kMiB + 1, 12 * kMiB - 1, 12 * kMiB,
                                 12 * kMiB + 1, 16 * kMiB + 1}) {
    SCOPED_TRACE(size);
    expect_same(noise.substr(0, size));
  }
}

TEST_F(BigFile, R8_4_GivesTheSameChunksOfANarInEveryMode) {
  const std::string nar = test::make_nar(
      {{"a", random_bytes(2, 9 * kMiB + 3)}, {"b", std::string(5 * kMiB, '\0')}, {"c", "c"}});
  for (const NarMode mode : kModes) {
    chunking_.recipe.nar_mode = mode;
    expect_same(nar);
  }
}

TEST_F(BigFile, R8_4_GivesTheSameChunksWhenOneReachesOverSlabs) {
  chunking_.recipe.min_bytes = 4 * kMiB;
  chunking_.recipe.avg_bytes = 4 * kMiB;
  chunking_.recipe.max_bytes = 9 * kMiB;
  expect_same(random_bytes(3, 30 * kMiB));
  chunking_.recipe.max_bytes = 64 * kMiB;  // too large for slabs
  expect_same(random_bytes(3, 20 * kMiB));
}

TEST_F(BigFile, R8_4_TakesReferencesOutWhereverSlabsMeet) {
  const std::string reference = "/nix/store/" + std::string(32, 'a') + "-sed ";
  std::string bytes;
  while (bytes.size() < 17 * kMiB) bytes += reference;
  expect_same(bytes, {.store_prefix = "/nix/store/"});
  EXPECT_EQ(chunk_with(2, bytes, {.store_prefix = "/nix/store/"})->references.positions.size(),
            bytes.size() / reference.size());
}

TEST_F(BigFile, R8_4_HasAProfileForEachChunk) {
  const std::string bytes = random_bytes(4, 10 * kMiB) + std::string(4 * kMiB, '\0');
  expect_same(bytes, {.profile_contents = true});
  const auto file = chunk_with(2, bytes, {.profile_contents = true});
  ASSERT_EQ(file->profiles.size(), file->extents.size());
  EXPECT_FALSE(file->profiles.front().run_length);
  EXPECT_TRUE(file->profiles.back().run_length);
}

TEST_F(BigFile, R6_3_HasTheErrorThatOneThreadMeetsFirst) {
  const std::string nar = test::make_nar({{"a", random_bytes(5, 20 * kMiB)}});
  const std::string garbage = nar.substr(0, 20 * kMiB + 200) + std::string(12 * kMiB, 'x');
  for (const std::string& bad : {nar.substr(0, 17 * kMiB), garbage}) {
    const auto alone = chunk_with(1, bad);
    ASSERT_FALSE(alone);
    for (const unsigned threads : {2U, 7U}) {
      const auto together = chunk_with(threads, bad);
      ASSERT_FALSE(together);
      EXPECT_EQ(together.error(), alone.error());
    }
  }
}

TEST_F(BigFile, StopsOnRequestWhileThreadsShareIt) {
  std::stop_source stop;
  std::atomic<std::size_t> hashed = 0;
  auto stopping = HashAlgorithm::custom("stopping", [&](Bytes bytes) {
    if ((hashed += bytes.size()) > 9 * kMiB) stop.request_stop();
    return HashAlgorithm::blake3().hash(bytes);
  });
  ASSERT_OK(stopping);
  const auto path = directory_.path() / "big";
  test::write_file(path, random_bytes(6, 64 * kMiB));
  auto batch = batch_chunk_files({path}, chunking_,
                                 {.hash = *stopping, .threads = 2, .stop = stop.get_token()});
  ASSERT_OK(batch);
  const auto result = batch->next();
  ASSERT_FALSE(result->chunks);
  EXPECT_EQ(result->chunks.error().code, ErrorCode::cancelled);
  EXPECT_LT(hashed, 40 * kMiB);
}

TEST_F(BigFile, ReportsAHashThatThrows) {
  std::atomic<std::size_t> hashed = 0;
  auto throwing = HashAlgorithm::custom("throwing", [&](Bytes bytes) -> Digest {
    if ((hashed += bytes.size()) > 10 * kMiB) throw std::runtime_error("no more");
    return HashAlgorithm::blake3().hash(bytes);
  });
  ASSERT_OK(throwing);
  const std::string bytes = random_bytes(7, 20 * kMiB);
  const auto path = directory_.path() / "big";
  test::write_file(path, bytes);
  auto batch = batch_chunk_files({path}, chunking_, {.hash = *throwing, .threads = 3});
  ASSERT_OK(batch);
  const auto result = batch->next();
  ASSERT_FALSE(result->chunks);
  EXPECT_EQ(result->chunks.error().code, ErrorCode::internal);
}

// The other three are done long before; from then on the big one has their threads.
TEST_F(BigFile, SharesThreadsWithSmallFilesUntilTheyAreDone) {
  const std::string bytes = random_bytes(8, 24 * kMiB);
  const auto alone = chunk_with(1, bytes);
  ASSERT_OK(alone);
  std::vector<std::filesystem::path> paths = {directory_.path() / "big"};
  for (const char* name : {"x", "y", "z"}) {
    paths.push_back(directory_.path() / name);
    test::write_file(paths.back(), random_bytes(9, 100'000));
  }
  auto batch = batch_chunk_files(paths, chunking_, {.threads = 3});
  ASSERT_OK(batch);
  std::size_t count = 0;
  while (const auto result = batch->next()) {
    ++count;
    ASSERT_OK(result->chunks);
    if (result->path == paths.front()) {
      EXPECT_EQ(result->chunks->digests, alone->digests);
    }
  }
  EXPECT_EQ(count, paths.size());
}

}  // namespace
}  // namespace chunker
