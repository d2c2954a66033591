#include "chunker/chunk_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "chunker/batch.hpp"
#include "pipeline/store_fixture.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker {
namespace {

using Kind = StreamStep::Kind;

/// Gives `bytes`, and counts how often it was asked.
ByteSource source_of(std::string_view bytes, int* reads = nullptr) {
  return [bytes, reads](MutableBytes out) mutable -> Result<std::size_t> {
    if (reads != nullptr) ++*reads;
    const std::size_t count = std::min(out.size(), bytes.size());
    std::ranges::copy(bytes_of(bytes.substr(0, count)), out.begin());
    bytes.remove_prefix(count);
    return count;
  };
}

struct Streamed {
  std::vector<ChunkExtent> extents;
  std::vector<Digest> digests;
  std::string bytes;
  std::vector<NarEntry> entries;
  std::size_t not_yet_count = 0;
};

Streamed read_all(ChunkStream& stream) {
  Streamed all;
  for (;;) {
    const auto step = stream.next();
    EXPECT_OK(step);
    if (!step || step->kind == Kind::ended) return all;
    for (NarEntry& entry : stream.take_entries()) all.entries.push_back(std::move(entry));
    if (step->kind == Kind::not_yet) {
      ++all.not_yet_count;
      continue;
    }
    all.extents.push_back(step->chunk.extent);
    all.digests.push_back(step->chunk.digest);
    all.bytes += text_of(step->chunk.bytes);
  }
}

std::string nar_with_references() {
  const std::string hash = "0123456789abcdfghijklmnpqrsvwxyz";
  std::string text;
  for (int i = 0; i < 5000; ++i) text += test::random_bytes(7, 50) + "/nix/store/" + hash + "-x";
  return test::make_nar({{"a", test::random_text(1, 300'000)}, {"b", text}, {"c", "x"}});
}

class ChunkStreams : public test::StoreFixture {
 protected:
  FileChunks by_batch(const std::string& bytes, const ChunkingOptions& chunking,
                      const StreamOptions& options) {
    auto batch = batch_chunk_files({write_nar("f", bytes)}, chunking,
                                   {.hash = options.hash, .store_prefix = options.store_prefix});
    EXPECT_OK(batch);
    auto result = batch->next();
    EXPECT_OK(result->chunks);
    return std::move(*result->chunks);
  }
};

TEST_F(ChunkStreams, R12_2_ChunksAreThoseOfABatchWhateverTheSteps) {
  const std::vector<std::string> inputs{"", "x", test::random_bytes(1, 2'000'000),
                                        std::string(700'000, '\0'), nar_with_references()};
  const auto custom = HashAlgorithm::custom(
      "backward", [](Bytes bytes) { return HashAlgorithm::sha256().hash(bytes.last(1)); });
  ASSERT_OK(custom);
  for (const NarMode mode : {NarMode::off, NarMode::biased, NarMode::aligned}) {
    ChunkingOptions chunking = test::small_chunks().chunking;
    chunking.recipe.nar_mode = mode;
    for (const std::string& input : inputs) {
      for (const HashAlgorithm& hash :
           {HashAlgorithm::blake3(), HashAlgorithm::sha256(), *custom}) {
        for (const bool cooperative : {false, true}) {
          StreamOptions options{
              .hash = hash, .store_prefix = "/nix/store/", .cooperative = cooperative};
          options.max_iteration_time_us = 1;
          const FileChunks expected = by_batch(input, chunking, options);
          auto stream = ChunkStream::over(source_of(input), chunking, options);
          ASSERT_OK(stream);
          const Streamed all = read_all(*stream);
          EXPECT_EQ(all.extents, expected.extents);
          EXPECT_EQ(all.digests, expected.digests);
          EXPECT_EQ(all.entries.size(), expected.entries.size());
          EXPECT_EQ(all.bytes.size(), input.size());
          EXPECT_EQ(stream->is_nar(), expected.is_nar);
          EXPECT_EQ(stream->take_references(), expected.references);
          EXPECT_TRUE(cooperative || all.not_yet_count == 0);
          EXPECT_TRUE(!cooperative || input.size() < 100'000 || all.not_yet_count != 0);
        }
      }
    }
  }
}

TEST_F(ChunkStreams, BytesAreTheInputUnlessReferencesAreTakenOut) {
  const std::string nar = nar_with_references();
  auto stream = ChunkStream::open(write_nar("a.nar", nar), test::small_chunks().chunking);
  ASSERT_OK(stream);
  EXPECT_EQ(read_all(*stream).bytes, nar);
  auto without = ChunkStream::over(source_of(nar), test::small_chunks().chunking,
                                   {.store_prefix = "/nix/store/"});
  ASSERT_OK(without);
  EXPECT_NE(read_all(*without).bytes, nar);
}

// 2 MiB of SHA-256 take more than a millisecond everywhere. A call that takes longer than it may could have been
// interrupted, which counts as the thread's time: one in fifty is forgiven.
TEST_F(ChunkStreams, R12_2_NextReturnsWithinItsTimeOnLargeChunks) {
  constexpr auto kTimeMax = std::chrono::microseconds(1000);
  ChunkingOptions chunking;
  chunking.recipe.algorithm = ChunkingAlgorithm::fixed;
  chunking.recipe.avg_bytes = chunking.recipe.max_bytes = 2 << 20;
  const std::string input = test::random_bytes(1, 48 << 20);
  std::size_t late_count[2] = {};
  for (const bool cooperative : {false, true}) {
    auto stream = ChunkStream::over(source_of(input), chunking,
                                    {.hash = HashAlgorithm::sha256(), .cooperative = cooperative});
    ASSERT_OK(stream);
    std::size_t call_count = 0;
    std::size_t chunk_count = 0;
    for (bool more = true; more; ++call_count) {
      const auto begin = resource::thread_cpu_time();
      const auto step = stream->next();
      const auto time = resource::thread_cpu_time() - begin;
      ASSERT_OK(step);
      more = step->kind != Kind::ended;
      if (step->kind == Kind::chunk) ++chunk_count;
      if (time > kTimeMax) ++late_count[cooperative];
    }
    EXPECT_EQ(chunk_count, 24U);
    if (cooperative) {
      EXPECT_LE(late_count[cooperative], call_count / 50) << "of " << call_count;
      EXPECT_GT(call_count, 2 * chunk_count);
    } else {
      EXPECT_EQ(call_count, chunk_count + 1) << "each call has its chunk";
    }
  }
  EXPECT_GT(late_count[false], late_count[true]);
}

TEST_F(ChunkStreams, R12_5_WithoutCooperationThereAreNoSteps) {
  const std::string input = test::random_bytes(1, 9 << 20);
  const auto reads_of = [&](bool cooperative) {
    int reads = 0;
    // So short that whatever is computed takes longer, on any machine.
    auto stream = ChunkStream::over(source_of(input, &reads), {},
                                    {.cooperative = cooperative, .max_iteration_time_us = 1});
    EXPECT_OK(stream);
    EXPECT_EQ(read_all(*stream).not_yet_count == 0, !cooperative);
    return reads;
  };
  EXPECT_EQ(reads_of(false), 10);
  EXPECT_EQ(reads_of(true), 9 * 32 + 1);
}

TEST_F(ChunkStreams, TheFirstErrorIsRepeated) {
  const std::string nar = nar_with_references();
  auto stream = ChunkStream::over(source_of(std::string_view(nar).substr(0, nar.size() - 1)),
                                  test::small_chunks().chunking);
  ASSERT_OK(stream);
  auto step = stream->next();
  while (step && step->kind == Kind::chunk) step = stream->next();
  for (int i = 0; i < 2; ++i) {
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error().code, ErrorCode::nar_truncated);
    step = stream->next();
  }
}

TEST_F(ChunkStreams, R25_4_WhatASourceOrAHashThrowsIsAnError) {
  const ByteSource throwing = [](MutableBytes) -> Result<std::size_t> {
    throw std::runtime_error("no luck");
  };
  const auto hash = HashAlgorithm::custom(
      "throwing", [](Bytes) -> Digest { throw std::runtime_error("no luck"); });
  ASSERT_OK(hash);
  for (const bool by_hash : {false, true}) {
    auto stream = by_hash ? ChunkStream::over(source_of("abc"), {}, {.hash = *hash})
                          : ChunkStream::over(throwing, {});
    ASSERT_OK(stream);
    const auto step = stream->next();
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error().code, ErrorCode::internal);
    EXPECT_EQ(step.error().context, "no luck");
  }
}

TEST_F(ChunkStreams, ASourceThatGivesTooMuchIsRefused) {
  auto stream =
      ChunkStream::over([](MutableBytes out) -> Result<std::size_t> { return out.size() + 1; }, {});
  ASSERT_OK(stream);
  const auto step = stream->next();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, ErrorCode::invalid_argument);
}

TEST_F(ChunkStreams, StopsOnRequest) {
  std::stop_source stop;
  const std::string input = test::random_bytes(1, 20 << 20);
  auto stream = ChunkStream::over(source_of(input), {}, {.stop = stop.get_token()});
  ASSERT_OK(stream);
  ASSERT_OK(stream->next());
  stop.request_stop();
  auto step = stream->next();
  while (step && step->kind == Kind::chunk) step = stream->next();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, ErrorCode::cancelled);
}

TEST_F(ChunkStreams, WhatCannotBeMeantOrReadIsSaidBefore) {
  ChunkingOptions chunking;
  chunking.recipe.min_bytes = chunking.recipe.max_bytes + 1;
  EXPECT_FALSE(ChunkStream::over(source_of(""), chunking));
  EXPECT_FALSE(ChunkStream::over(source_of(""), {}, {.store_prefix = "no prefix"}));
  const auto absent = ChunkStream::open(directory_.path() / "absent", {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::io_not_found);
}

}  // namespace
}  // namespace chunker
